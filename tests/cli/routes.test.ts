/**
 * Everything that can be done by an API can be done by `spean`: each command of the table is run, and must call
 * its route. What answers only writes down what it was asked; what programs do with it, other tests show.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { createProgram } from '../../cli/program.ts'
import { createAuthority } from '../service-catalogue/support.ts'
import { committedDescription, operationsOf } from '../support/described-api.ts'
import { COMMANDS } from './commands-of-routes.ts'

// tests/federation/api-access.test.ts holds these descriptions against what the programs serve.
const administrative = ['catalogue', 'gateway', 'authority'].flatMap((program) =>
  operationsOf(committedDescription(program))
    .filter(({ role }) => role !== 'public')
    .map(({ method, path }) => `${program} ${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
)

const dir = mkdtempSync(join(tmpdir(), 'routes-'))
const at = (name: string): string => join(dir, name)
let server: Server
let asked: string[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    const program = /Bearer (\w+)/.exec(request.headers.authorization ?? '')?.[1]
    asked.push(`${program} ${request.method} ${(request.url ?? '').split('?')[0]}`)
    request.resume()
    response.setHeader('content-type', 'application/json').end('{"archives":[]}')
  }).listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const endpointOf = (program: string) => {
    writeFileSync(at(`${program}.token`), program, { mode: 0o600 })
    return { url, tokenFile: `${program}.token` }
  }
  const { pems } = await createAuthority()
  writeFileSync(at('FILE'), pems[0]!)
  writeFileSync(at('JSON'), '{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{}}')
  writeFileSync(at('YAML'), 'version: 1\ninstance: KH-DEV\nservices: {}\n')
  const gateway = endpointOf('gateway')
  const profile = {
    instance: 'KH-DEV',
    caFile: 'FILE',
    catalogue: endpointOf('catalogue'),
    authority: endpointOf('authority'),
    gateways: { g: gateway, a: { ...gateway, role: 'auditor' } },
  }
  writeFileSync(at('spean.json'), JSON.stringify(profile))
})
afterAll(async () => {
  await new Promise((done) => server.close(done))
  rmSync(dir, { recursive: true, force: true })
})
beforeEach(() => {
  asked = []
  vi.stubEnv('SPEAN_GATEWAY', 'g')
  for (const method of ['log', 'error'] as const) vi.spyOn(console, method).mockReturnValue()
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  process.exitCode = undefined
  rmSync(at('OUT'), { force: true })
})

/** As express matches it: each parameter is one segment. */
const patternOf = (route: string): RegExp =>
  new RegExp(`^${route.replaceAll(/[.*+?^$()[\]\\|]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')}$`)

describe('everything that can be done by an API can be done by spean', () => {
  it('has a command for each administrative route, and for no route that is gone', () => {
    expect(Object.keys(COMMANDS).toSorted()).toEqual(administrative.toSorted())
  })

  it.each(Object.entries(COMMANDS))('%s is called by spean %s', async (route, command) => {
    const files = ['FILE', 'JSON', 'YAML', 'OUT']
    const argv = command.map((word) => (files.includes(word) ? at(word) : word))
    // An answer of nothing is more than some can print
    await createProgram()
      .parseAsync(['node', 'spean', '--profile', at('spean.json'), ...argv])
      .catch((error: unknown) => error)
    expect(asked.find((call) => patternOf(route).test(call)) ?? asked).toMatch(patternOf(route))
  })
})
