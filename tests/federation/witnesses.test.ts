/** Gateways and the catalogue as witnesses of each other's logs, each on its real port. */
import { chmodSync, cpSync, existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WitnessingHealth } from '../../gateway/transparency/witnessing.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { judgeCosignatures, parsePolicy } from '../../protocol/tlog-policy.ts'
import { createApiClient } from '../../runtime/api-client.ts'
import {
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'

let federation: Federation
beforeAll(async () => {
  federation = await startFederation()
})
afterAll(() => federation[Symbol.asyncDispose]())

const health = async ({ admin }: TestGateway): Promise<WitnessingHealth> =>
  (await admin.call<{ witnessing: WitnessingHealth }>('GET', '/admin/status')).witnessing
const exchange = async (): Promise<number> =>
  (await federation.call(`/r1/${REGISTRY}/echo/x`)).status
const logPolicy = async (): Promise<string> =>
  (await federation.catalogueAdmin.call<{ logPolicy: string }>('GET', '/admin/witness-policy'))
    .logPolicy
const checkpointOf = async ({ running }: TestGateway): Promise<string> => {
  const url = `https://127.0.0.1:${running.ports.transparency}`
  await using anyone = createApiClient({ url, ca: federation.ca })
  return await anyone.call<string>('GET', '/log/checkpoint')
}

it('gateways have the catalogue list their keys, and it and they are the witnesses', async () => {
  await expect
    .poll(async () => parsePolicy(await logPolicy()), { timeout: 15_000 })
    .toMatchObject({ logs: { length: 2 }, witnesses: { length: 3 }, quorum: 'none' })
})

it('a checkpoint has enough cosignatures within seconds, as anybody can verify', async () => {
  const { catalogueAdmin, client, provider } = federation
  await catalogueAdmin.call('PUT', '/admin/witness-policy', { threshold: 2 })
  await federation.settled()
  expect(await exchange()).toBe(200)
  const policy = parsePolicy(await logPolicy())
  for (const gateway of [client, provider]) {
    await expect
      .poll(
        async () => {
          const checkpoint = parseCheckpoint(await checkpointOf(gateway))
          const { isEnough, by } = judgeCosignatures(checkpoint, policy)
          return isEnough && by.length === 2 && checkpoint.size > 0
        },
        { timeout: 10_000 },
      )
      .toBe(true)
    await expect
      .poll(async () => (await health(gateway)).cosigning.state, { timeout: 10_000 })
      .toBe('ok')
  }
})

describe('a store that was restored from an old copy', () => {
  let copy: string
  let original: string
  beforeAll(async () => {
    const { client, dir } = federation
    original = client.config.stateDir
    copy = join(dir, 'restored')
    await copyState(original, copy)
    const witnessed = async (): Promise<number> =>
      (await health(client)).cosigning.witnessedSize ?? 0
    const before = await witnessed()
    for (let i = 0; i < 3; i += 1) expect(await exchange()).toBe(200)
    while ((await witnessed()) < before + 6) await new Promise((done) => setTimeout(done, 50))
    await client.restart({ stateDir: copy })
  })

  it('is found out at the start: exchanges are refused, nothing is signed, and it says why', async () => {
    const { client } = federation
    const { rolledBack } = await health(client)
    expect(rolledBack?.shown?.witness).toMatch(/witness$/)
    const before = await checkpointOf(client)
    const answer = await federation.call(`/r1/${REGISTRY}/echo/x`)
    expect([answer.status, JSON.parse(answer.body.toString('utf8'))]).toEqual([
      503,
      expect.objectContaining({ type: 'server.clientproxy.logging_failed.behind_witnesses' }),
    ])
    await new Promise((done) => setTimeout(done, 1200))
    expect(parseCheckpoint(await checkpointOf(client)).size).toBe(parseCheckpoint(before).size)
  })

  it('serves again with the newest copy', async () => {
    const { client } = federation
    await client.restart({ stateDir: original })
    expect((await health(client)).rolledBack).toBeUndefined()
    expect(await exchange()).toBe(200)
  })

  it('is followed by the next log when there is no newer copy', async () => {
    const { client } = federation
    await client.restart({
      stateDir: copy,
      exchangeLog: { ...client.config.exchangeLog, number: 2 },
    })
    expect(await exchange()).toBe(200)
    expect(existsSync(join(copy, 'log2', 'exchange-log.db'))).toBe(true)
    const faultOf = async (): Promise<string | undefined> =>
      (await health(client)).keys?.fault?.code
    await expect.poll(faultOf, { timeout: 15_000 }).toBe('registration.not-allowed')
    const { log } = (await health(client)).keys!
    const path = `/admin/gateways/${client.config.gatewayId.split('/').slice(1).join('/')}`
    await federation.catalogueAdmin.call('PUT', `${path}/log-keys`, log)
    await expect
      .poll(async () => (await health(client)).cosigning.witnessedSize, { timeout: 15_000 })
      .toBeGreaterThan(0)
    const checkpoint = parseCheckpoint(await checkpointOf(client))
    expect(checkpoint.origin).toMatch(/\/log2$/)
    expect(parsePolicy(await logPolicy()).logs).toHaveLength(3)
  })
})

/** As a backup does: databases by SQLite's own means, while they are written to. */
async function copyState(from: string, to: string): Promise<void> {
  cpSync(from, to, { recursive: true, filter: (path) => !/\.db(-wal|-shm)?$/.test(path) })
  for (const name of globSync('*.db', { cwd: from })) {
    using db = new DatabaseSync(join(from, name), { readOnly: true })
    await backup(db, join(to, name))
    chmodSync(join(to, name), 0o600)
  }
}
