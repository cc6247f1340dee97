/** What gateways keep of exchanges, erase and hold, through their own ports and the command. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { KeepingRule } from '../../exchange-log/config.ts'
import type { EventKind, ExchangeKind, StoredRecord } from '../../exchange-log/record.ts'
import { apiPath } from '../../runtime/api-client.ts'
import {
  BANK,
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { openLog, readBody } from '../exchange-log/support.ts'

const PATH = `/r1/${REGISTRY}`
const run = promisify(execFile)

let f: Federation
beforeAll(async () => {
  f = await startFederation()
})
afterAll(() => f[Symbol.asyncDispose]())

/** Calls and gives the exchange id. */
async function call(
  body: Buffer,
  service = 'echo',
  headers: readonly string[] = [],
): Promise<string> {
  const rawHeaders = ['X-Road-Client', BANK, ...headers]
  const answer = await f.call(`${PATH}/${service}`, { method: 'POST', body, rawHeaders })
  expect(answer.status).toBe(200)
  return String(answer.headers['x-road-request-id'])
}
const recordOf = async (
  gateway: TestGateway,
  id: string,
  kind: ExchangeKind | EventKind,
): Promise<StoredRecord> => {
  const found = (await gateway.entries(id)).find((record) => record.kind === kind)
  if (found) return found
  throw new TypeError(`no ${kind} of ${id}`)
}
/** Reads what a gateway keeps, as another process with its key would. */
async function keptAt(gateway: TestGateway, id: string): Promise<unknown[]> {
  await using log = await openLog(gateway.config.stateDir)
  const kept = async (kind: ExchangeKind): Promise<unknown[]> => {
    const { position } = await recordOf(gateway, id, kind)
    const headers = (await log.content.headers(position))?.toString('latin1')
    return [headers !== undefined, await readBody(log.content, position)]
  }
  return [await kept('request'), await kept('response')]
}

it.each([
  ['in memory', 1000],
  ['on disk while it is under way', 1_500_000],
])('both gateways keep request and answer of an exchange whose body is %s', async (_name, size) => {
  const body = randomBytes(size)
  const id = await call(body, 'echo', ['X-Road-UserId', 'KH-42', 'X-Road-Issue', 'case 7'])
  for (const gateway of [f.client, f.provider]) {
    const request = await recordOf(gateway, id, 'request')
    expect(request).toMatchObject({
      userId: 'KH-42',
      issue: 'case 7',
      kept: 'full',
      bodyBytes: size,
    })
    const [[headers, sent], [, answer]] = (await keptAt(gateway, id)) as [
      [boolean, Buffer],
      [boolean, Buffer],
    ]
    expect(headers).toBe(true)
    expect(Buffer.compare(sent, body)).toBe(0)
    expect(answer.length).toBe((await recordOf(gateway, id, 'response')).bodyBytes)
  }
})

it('a rule by the classification in the catalogue decides what is kept, also when the service has gone', async () => {
  await f.addService('secret')
  const path = apiPath('/admin/services', 'GOV', 'REG', 'POP', 'secret')
  const classified = { title: 'secret', classification: 'sensitive' }
  expect(await f.catalogueAdmin.call('PUT', path, classified)).toMatchObject(classified)
  const rules: KeepingRule[] = [{ classification: 'sensitive', keep: 'digest' }]
  await f.provider.restart({ exchangeLog: { ...f.provider.config.exchangeLog, rules } })
  await f.settled()
  const demanded = ['Spean-Purpose', 'test', 'X-Road-UserId', 'KH-42', 'X-Road-Issue', 'case 7']
  const id = await call(Buffer.from('x'), 'secret', demanded)
  expect((await recordOf(f.client, id, 'request')).kept).toBe('full')
  expect((await recordOf(f.provider, id, 'request')).kept).toBe('digest')
  expect(await keptAt(f.provider, id)).toEqual([
    [true, undefined],
    [true, undefined],
  ])
  await f.catalogueAdmin.call('DELETE', path)
  await f.settled()
  const old = rules.map((rule) => ({ ...rule, days: 0 }))
  await f.provider.restart({ exchangeLog: { ...f.provider.config.exchangeLog, rules: old } })
  await expect
    .poll(() => keptAt(f.provider, id), { timeout: 20_000 })
    .toEqual([
      [false, undefined],
      [false, undefined],
    ])
})

it('an operator previews, holds, releases and erases by the command', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'log-privacy-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const admin = `https://127.0.0.1:${f.client.running.ports.admin}`
  writeFileSync(join(dir, 'ca.pem'), f.ca)
  writeFileSync(join(dir, 'token'), f.client.running.adminToken, { mode: 0o600 })
  const gateway = { url: admin, tokenFile: 'token' }
  const profile = {
    instance: 'KH-TEST',
    caFile: 'ca.pem',
    catalogue: gateway,
    gateways: { gateway },
  }
  writeFileSync(join(dir, 'spean.json'), JSON.stringify(profile))
  const spean = async (...words: string[]): Promise<[number, string]> => {
    const main = join(import.meta.dirname, '../../cli/main.ts')
    const args = [main, '--profile', join(dir, 'spean.json'), 'log', ...words]
    return run(process.execPath, args).then(
      ({ stdout }): [number, string] => [0, stdout],
      ({ code, stderr }: { code: number; stderr: string }): [number, string] => [code, stderr],
    )
  }
  const id = await call(Buffer.from('personal data'))
  const held = await spean('hold', 'add', '--client', 'COM/BANK', '--reason', 'court order 7')
  expect(held[0]).toBe(0)
  const [hold = ''] = /[0-9a-f-]{36}/.exec(held[1]) ?? []
  const refused = await spean('erase', id, '--reason', 'request')
  expect(refused).toEqual([1, expect.stringContaining('log.held')])
  expect(refused[1]).toContain('court order 7')
  expect((await spean('hold', 'list'))[1]).toMatch(
    new RegExp(`${hold}.*holding.*client KH-TEST/COM/BANK.*court order 7`),
  )
  expect(await spean('hold', 'release', hold, '--reason', 'over')).toEqual([0, 'released\n'])
  expect(await spean('erase', id, '--reason', 'request')).toEqual([
    0,
    expect.stringMatching(/^erased what was kept at \d+, \d+\n$/),
  ])
  expect(await spean('erase', id, '--reason', 'request')).toEqual([
    0,
    'nothing was kept of it any more\n',
  ])
  expect((await spean('retention'))[1]).toContain('last run')
  expect((await spean('hold', 'add', '--reason', 'all'))[0]).toBe(1)
  expect(await recordOf(f.client, id, 'erasure')).toMatchObject({ actor: 'administrator' })
})

it.each<[string, object]>([
  ['that covers nothing', {}],
  ['without a reason', { reason: ' ', client: 'KH-TEST/COM/BANK' }],
  ['on a client that cannot be one', { client: 'BANK' }],
  ['on a client below a subsystem', { client: 'KH-TEST/COM/BANK/KYC/x' }],
  ['on a service with an empty part', { service: 'KH-TEST//BANK/KYC/x' }],
  ['from a time that is none', { from: 'yesterday' }],
  ['by something else', { purpose: 'x' }],
])('a hold %s is refused', async (_name, body) => {
  const hold = f.client.admin.call('POST', '/admin/holds', { reason: 'court', ...body })
  await expect(hold).rejects.toMatchObject({ code: 'admin.invalid' })
})

it('a gateway whose key is lost says so, and does not make another one; with another one it goes on', async () => {
  const id = await call(Buffer.from('before'))
  const { stateDir } = f.client.config
  const file = join(stateDir, 'log-encryption.key')
  const away = mkdtempSync(join(tmpdir(), 'lost-key-'))
  onTestFinished(() => rmSync(away, { recursive: true, force: true }))
  cpSync(file, join(away, 'key'))
  rmSync(file)
  await expect(f.client.restart()).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('restore it from a backup') as string,
  })
  expect(readdirSync(stateDir)).not.toContain('log-encryption.key')
  writeFileSync(file, randomBytes(32), { mode: 0o600 })
  await f.client.restart()
  const { warnings } = await f.client.admin.call<{ warnings: string[] }>('GET', '/admin/status')
  expect(warnings).toEqual([
    expect.stringContaining('does not open with exchangeLog.encryptionKey'),
  ])
  const after = await call(Buffer.from('after'))
  expect(((await keptAt(f.client, after)) as unknown[][])[0]?.[1]).toEqual(Buffer.from('after'))
  await expect(keptAt(f.client, id)).rejects.toMatchObject({ name: 'LogContentError' })
  writeFileSync(file, readFileSync(join(away, 'key')), { mode: 0o600 })
  await f.client.restart()
  expect(((await keptAt(f.client, id)) as unknown[][])[0]?.[1]).toEqual(Buffer.from('before'))
})
