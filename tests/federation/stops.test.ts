/** An emergency stop by the command, followed by the gateways of both sides. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { startFederation, type Federation } from '../support/federation.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const ECHO = '/r1/KH-TEST/GOV/REG/POP/echo'
const PROBLEM = { Accept: 'application/problem+json' }

let f: Federation
beforeAll(async () => {
  f = await startFederation()
  writePrivateFile(join(f.dir, 'catalogue.token'), f.catalogue.adminToken)
  writeFileSync(join(f.dir, 'ca.pem'), f.ca)
  const catalogue = { url: f.catalogue.url, tokenFile: join(f.dir, 'catalogue.token') }
  const profile = { instance: 'KH-TEST', caFile: join(f.dir, 'ca.pem'), catalogue, gateways: {} }
  writeFileSync(join(f.dir, 'spean.json'), JSON.stringify(profile))
})
afterAll(() => f[Symbol.asyncDispose]())

async function spean(...args: string[]): Promise<string> {
  const command = [join(ROOT, 'cli/main.ts'), '--profile', join(f.dir, 'spean.json'), ...args]
  return (await run(process.execPath, command, { cwd: f.dir })).stdout
}
async function callProblem(): Promise<Record<string, unknown>> {
  const rawHeaders = ['X-Road-Client', 'KH-TEST/COM/BANK/KYC', ...Object.entries(PROBLEM).flat()]
  const { status, body } = await f.call(ECHO, { rawHeaders })
  return status < 400 ? { status } : (JSON.parse(body.toString()) as Record<string, unknown>)
}

it.each([
  ['the member of the client', 'COM/BANK'],
  ['the client', 'COM/BANK/KYC'],
  ['the member of the provider', 'KH-TEST/GOV/REG'],
  ['the subsystem of the provider', 'GOV/REG/POP'],
  ['the service', 'GOV/REG/POP/echo'],
])('of %s is followed within two seconds, and so is its end', async (_name, id) => {
  expect(await callProblem()).toEqual({ status: 200 })
  expect(await spean('stop', 'set', id, '--reason', 'a key was lost')).toContain('a key was lost')
  const within = { timeout: 2000, interval: 20 }
  await expect.poll(callProblem, within).toMatchObject({
    code: 'access.stopped',
    status: 403,
    origin: 'client-gateway',
    detail: expect.stringContaining('a key was lost') as unknown,
  })
  expect(await spean('stop', 'list')).toContain('a key was lost')
  expect(await spean('stop', 'lift', id)).toContain('lifted')
  await expect.poll(callProblem, within).toEqual({ status: 200 })
  expect(await spean('stop', 'list')).not.toContain('a key was lost')
})
