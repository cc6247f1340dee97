/** Quotas that replicas share, on a real Redis. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { connectionOf } from '../../gateway/quota/open-quotas.ts'
import { openSharedQuotas, type SharedQuotas } from '../../gateway/quota/quotas-redis.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { startRedis, type RedisServer } from '../support/redis.ts'
import { silent } from './support.ts'

const PASSWORD = 'not a secret'
let server: RedisServer
let folder: string
let passwordFile: string
let direct: Redis
beforeAll(async () => {
  server = await startRedis('--requirepass', PASSWORD)
  folder = mkdtempSync(join(tmpdir(), 'quotas-'))
  passwordFile = join(folder, 'password')
  writePrivateFile(passwordFile, `${PASSWORD}\n`)
  direct = new Redis({ port: server.port, password: PASSWORD, replyMapping: 'legacy' })
  direct.on('error', () => undefined)
})
afterAll(async () => {
  direct.disconnect()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function replica(replicas = 2): Promise<SharedQuotas> {
  const url = `redis://127.0.0.1:${server.port}`
  const redis = connectionOf({ url, passwordFile, replicas })
  const quotas = await openSharedQuotas({
    redis,
    replicas,
    clock: () => new Date(),
    logger: silent,
  })
  onTestFinished(() => quotas[Symbol.asyncDispose]())
  return quotas
}
type Quota = { perSecond?: number; perDay?: number }
let contracts = 0
const newDigest = (): string => `contract-${(contracts += 1)}`

async function isPassing(quotas: SharedQuotas, digest: string, quota: Quota): Promise<boolean> {
  try {
    await quotas.take({ digest, quota }, new Date())
    return true
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    expect(error.code).toBe('access.quota-exceeded')
    expect(error.retryAfterSeconds).toBeGreaterThanOrEqual(1)
    return false
  }
}
async function passing(
  quotas: readonly SharedQuotas[],
  digest: string,
  quota: Quota,
  calls: number,
): Promise<number> {
  const all = Array.from({ length: calls }, (_, i) =>
    isPassing(quotas[i % quotas.length]!, digest, quota),
  )
  return (await Promise.all(all)).filter(Boolean).length
}
/** Redis is there again, and a replica has noticed. */
async function backAgain(...replicas: SharedQuotas[]): Promise<void> {
  for (const quotas of replicas) {
    await vi.waitFor(
      async () => {
        await isPassing(quotas, 'probe', { perDay: 1_000_000 })
        expect(quotas.awaySince).toBeUndefined()
      },
      { timeout: 30_000, interval: 100 },
    )
  }
}

/** A process that gets no time for half a second takes Redis for away: what is counted then shows nothing. */
const LOADED = { retry: 2 }

it('replicas that race for a quota let exactly as many calls pass as it has', LOADED, async () => {
  const both = [await replica(), await replica()]
  expect(await passing(both, newDigest(), { perDay: 60 }, 200)).toBe(60)
  const begun = performance.now()
  const passed = await passing(both, newDigest(), { perSecond: 20 }, 200)
  const filled = Math.ceil(((performance.now() - begun) * 20) / 1000)
  expect(passed).toBeGreaterThanOrEqual(20)
  expect(passed).toBeLessThanOrEqual(20 + filled)
})

it('a quota without a day fills again, and its key is gone after a while', async () => {
  const one = await replica()
  const digest = newDigest()
  expect(await passing([one], digest, { perSecond: 2 }, 2)).toBe(2)
  const passes = async (): Promise<void> =>
    expect(await isPassing(one, digest, { perSecond: 2 })).toBe(true)
  await vi.waitFor(passes, { timeout: 30_000, interval: 50 })
  const left = await direct.ttl(`spean:quota:{${digest}}`)
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThanOrEqual(10)
})

it('a clock of Redis that was an hour ahead and is set back locks nobody out', async () => {
  const one = await replica()
  const digest = newDigest()
  const ahead = String(Date.now() + 3_600_000)
  await direct.hset(`spean:quota:{${digest}}`, { tokens: '0', at: ahead })
  expect(await isPassing(one, digest, { perSecond: 5 })).toBe(false)
  const passes = async (): Promise<void> =>
    expect(await isPassing(one, digest, { perSecond: 5 })).toBe(true)
  await vi.waitFor(passes, { timeout: 30_000, interval: 50 })
})

it('the clock of a replica decides nothing while Redis answers', LOADED, async () => {
  const both = [await replica(), await replica()]
  const digest = newDigest()
  const yesterday = new Date(Date.now() - 86_400_000)
  const quota = { perDay: 2 }
  await both[0]!.take({ digest, quota }, yesterday)
  await both[1]!.take({ digest, quota }, new Date())
  await expect(both[0]!.take({ digest, quota }, yesterday)).rejects.toMatchObject({
    code: 'access.quota-exceeded',
  })
})

it(
  'while Redis is away each replica lets its share of what is left pass; then all is counted',
  LOADED,
  async () => {
    const both = [await replica(), await replica()]
    const digest = newDigest()
    const quota = { perDay: 20 }
    expect(await passing(both, digest, quota, 8)).toBe(8)
    // Both hear the count before it is lost.
    for (const quotas of both) expect(await isPassing(quotas, digest, quota)).toBe(true)
    await server.stop()
    onTestFinished(() => server.start())
    for (const quotas of both) {
      expect(await passing([quotas], digest, quota, 20)).toBe(5)
      expect(quotas.awaySince).toBeInstanceOf(Date)
    }
    await server.start()
    await backAgain(...both)
    // Redis lost everything in the crash. Who asks first tells it what it knows: 10 calls and 5 of its own; then the other one.
    expect(await passing([both[0]!], digest, quota, 1)).toBe(1)
    expect(await passing([both[1]!], digest, quota, 20)).toBe(0)
    expect(await passing(both, digest, quota, 20)).toBe(0)
  },
)

it('a Redis that hangs keeps no call from being decided', async () => {
  const one = await replica()
  const digest = newDigest()
  expect(await isPassing(one, digest, { perDay: 100 })).toBe(true)
  await server.stop('pause')
  onTestFinished(() => server.start())
  expect(await isPassing(one, digest, { perDay: 100 })).toBe(true)
  expect(one.awaySince).toBeInstanceOf(Date)
  expect(await passing([one], digest, { perDay: 100 }, 20)).toBe(20)
  await server.start()
  await backAgain(one)
})

it('a gateway that starts while Redis is away starts, and lets its share pass', async () => {
  await server.stop()
  onTestFinished(() => server.start())
  const one = await replica(3)
  expect(await passing([one], newDigest(), { perDay: 10 }, 20)).toBe(3)
  expect(await passing([one], newDigest(), { perSecond: 1, perDay: 10 }, 5)).toBe(1)
  expect(await passing([one], newDigest(), { perDay: 2 }, 5)).toBe(0)
})

it('what answers something else than the script is as good as away', async () => {
  const one = await replica()
  const digest = newDigest()
  await direct.set(`spean:quota:{${digest}}`, 'not a hash')
  expect(await passing([one], digest, { perDay: 10 }, 20)).toBe(5)
  expect(one.awaySince).toBeInstanceOf(Date)
})

it('the settings of a connection are read from URL and files', () => {
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, 'PEM')
  const replicas = 2
  expect(connectionOf({ url: 'redis://r.example', replicas })).toEqual({
    host: 'r.example',
    port: 6379,
    db: 0,
  })
  const url = 'rediss://[::1]:7000/3'
  expect(connectionOf({ url, user: 'u', passwordFile, tls: { caFile }, replicas })).toMatchObject({
    ...{ host: '::1', port: 7000, db: 3, username: 'u', password: PASSWORD },
    tls: { ca: 'PEM', minVersion: 'TLSv1.2' },
  })
})

it('can be looked at without counting, also while Redis is away', async () => {
  const both = [await replica(), await replica()]
  const [one, other] = both as [SharedQuotas, SharedQuotas]
  const quota = { perSecond: 50, perDay: 4 }
  const digest = newDigest()
  const look = (quotas: SharedQuotas) => quotas.peek({ digest, quota }, new Date())
  for (const quotas of [one, other, one]) {
    expect(await look(quotas)).toEqual({ perSecond: 50, perDay: 4 })
  }
  expect(await direct.exists(`spean:quota:{${digest}}`)).toBe(0)
  expect(await passing([one], digest, quota, 3)).toBe(3)
  expect(await look(other)).toMatchObject({ perDay: 1 })
  expect(await passing([other], digest, quota, 1)).toBe(1)
  await expect(look(one)).rejects.toMatchObject({ code: 'access.quota-exceeded' })
  expect(await one.peek({ digest }, new Date())).toBeUndefined()

  const alone = newDigest()
  const lookAlone = () => one.peek({ digest: alone, quota }, new Date())
  await server.stop()
  onTestFinished(() => server.start())
  expect(await isPassing(one, alone, quota)).toBe(true)
  expect(await lookAlone()).toMatchObject({ perDay: 1 })
  expect(await lookAlone()).toMatchObject({ perDay: 1 })
  expect(await isPassing(one, alone, quota)).toBe(true)
  await expect(lookAlone()).rejects.toMatchObject({ code: 'access.quota-exceeded' })
})
