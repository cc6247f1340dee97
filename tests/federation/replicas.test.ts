/** A client's gateway in two replicas: the same id, certificates and keys, one log in PostgreSQL. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openLogStores } from '../../exchange-log/open-log.ts'
import type { GatewayConfig } from '../../gateway/config.ts'
import { startGateway, type RunningGateway } from '../../gateway/server.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { leafHash, rootOf } from '../../protocol/merkle-tree.ts'
import { createLogger } from '../../runtime/logger.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { wholeLog } from '../contract/exchange-log-processes.contract.ts'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { freePort, send, type Answer } from '../support/http.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'

let postgres: PostgresServer
let federation: Federation
let second: RunningGateway
let secondConfig: GatewayConfig
const dir = mkdtempSync(join(tmpdir(), 'replicas-'))
const postgresUrlFile = join(dir, 'postgres.url')
const exchangeLog = {
  postgresUrlFile,
  signingKeyFile: join(dir, 'log.key'),
  encryptionKey: join(dir, 'log-encryption.key'),
  maxBytes: 1_073_741_824,
  warnFreeBytes: 0,
  rules: [],
  number: 1,
}
const startReplica = (config: GatewayConfig): Promise<RunningGateway> =>
  startGateway(config, { logger: createLogger('test') })

beforeAll(async () => {
  postgres = await startPostgres()
  writePrivateFile(postgresUrlFile, `${postgres.url(ROLE, await postgres.newLog())}\n`)
  // Three gateways, the database and the clients share this machine with other tests: twenty connections that are
  // opened at one time took longer than the second that tests give them, and were refused by name. Here that is no fault.
  const timeouts = {
    ...{ connectMs: 30_000, serviceMs: 30_000, providerMs: 40_000, idleMs: 30_000 },
    requestMs: 60_000,
  }
  federation = await startFederation({ client: { exchangeLog, timeouts } })
  secondConfig = {
    ...federation.client.config,
    stateDir: join(dir, 'second'),
    informationSystems: {
      host: '127.0.0.1',
      httpPort: await freePort(),
      httpsPort: await freePort(),
    },
    peers: { host: '127.0.0.1', port: await freePort() },
    admin: { host: '127.0.0.1', port: await freePort() },
    transparency: { host: '127.0.0.1', port: await freePort() },
  }
  second = await startReplica(secondConfig)
})
afterAll(async () => {
  await second[Symbol.asyncDispose]()
  await federation[Symbol.asyncDispose]()
  await postgres[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

const call = (port: number, path: string): Promise<Answer> =>
  send({ port, path: `/r1/${REGISTRY}/echo/${path}`, rawHeaders: ['X-Road-Client', BANK] })
const ports = (): number[] => [federation.client.httpPort, second.ports.http]

async function callBoth(count: number): Promise<Answer[]> {
  const calls = Array.from({ length: count }, (_, i) => call(ports()[i % 2]!, `x${i}`))
  return Promise.all(calls)
}

it('exchanges through both are in one log, which grows to one tree', async () => {
  for (let round = 0; round < 8; round += 1) {
    const statuses = (await callBoth(20)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([200]))
  }
  await using log = await openLogStores({ stateDir: dir, ...exchangeLog })
  const records = await wholeLog(log.records)
  expect(records.filter(({ kind }) => kind === 'request')).toHaveLength(160)
  expect(records.filter(({ kind }) => kind === 'response')).toHaveLength(160)
  expect(await log.records.list({ outcome: 'ok', limit: 1000 })).toHaveLength(160)
  const integrated = async (): Promise<number | undefined> => (await log.tree.head())?.size
  await expect.poll(integrated, { timeout: 10_000 }).toBe(records.length)

  // Each checkpoint that was ever signed is of the one tree of these records.
  const leaves = records.map(({ commitment }) => leafHash(commitment))
  const checkpoints = await log.tree.checkpoints(0, 1000)
  expect(checkpoints.length).toBeGreaterThan(1)
  for (const { size, rootHash, note } of checkpoints) {
    expect(rootHash).toEqual(rootOf(leaves.slice(0, size)))
    expect(parseCheckpoint(note)).toMatchObject({
      origin: 'spean/KH-TEST/COM/BANK/BANK-1/log',
      size,
      rootHash,
    })
  }
})

it('each shows the exchanges of the other', async () => {
  const answer = await call(second.ports.http, 'through-the-second')
  const id = answer.headers['x-road-request-id']
  expect((await federation.client.entries(String(id))).map(({ kind }) => kind)).toEqual([
    'request',
    'response',
  ])
})

it('without the database exchanges are refused by name; with it they go on, without a gap', async () => {
  await postgres.stop()
  for (const port of ports()) {
    const refused = await call(port, 'x')
    expect(refused.status).toBe(503)
    expect(refused.headers['x-road-error']).toBe('server.clientproxy.logging_failed')
  }
  await postgres.start()
  expect((await callBoth(10)).map(({ status }) => status)).toEqual(Array(10).fill(200))
  await using log = await openLogStores({ stateDir: dir, ...exchangeLog })
  await wholeLog(log.records)
})

it('a replica with a log key of its own does not start', async () => {
  const other = {
    ...secondConfig,
    stateDir: join(dir, 'third'),
    exchangeLog: { ...exchangeLog, signingKeyFile: join(dir, 'other.key') },
  }
  await expect(startReplica(other)).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringMatching(/its key .*other\.key is not there/) as string,
  })
  copyFileSync(join(secondConfig.stateDir, 'witness.key'), join(dir, 'other.key'))
  await expect(startReplica(other)).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('signingKeyFile') as string,
  })
})

it('a replica whose database is away does not start, and says why', async () => {
  const file = join(dir, 'nowhere.url')
  writePrivateFile(file, 'postgres://log_gateway@127.0.0.1:1/log')
  const other = { ...secondConfig, exchangeLog: { ...exchangeLog, postgresUrlFile: file } }
  await expect(startReplica(other)).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('ECONNREFUSED') as string,
  })
})
