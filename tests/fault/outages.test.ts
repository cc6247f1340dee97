import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HOUR_MS, MINUTE_MS } from '../support/clock.ts'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { send } from '../support/http.ts'
import { expectRefusal } from '../support/refusals.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

const LOG = { maxBytes: 1, warnFreeBytes: 0, rules: [], number: 1 }
let f: Federation
beforeEach(async () => {
  f = await startFederation()
})
afterEach(() => f[Symbol.asyncDispose]())

const PATH = `/r1/${REGISTRY}/echo`
const call = async (): Promise<number> => (await f.call(PATH)).status
const refused = (code: ErrorCode, by: 'client' | 'provider' = 'client'): Promise<void> =>
  expectRefusal(f, { name: code, send: (g) => g.call(PATH), code, by })

describe('without the catalogue', () => {
  it('gateways work on, also after a restart, until the snapshot expires; then say so', async () => {
    await f.catalogue[Symbol.asyncDispose]()
    expect(await call()).toBe(200)
    await f.client.restart()
    await f.provider.restart()
    expect(await call()).toBe(200)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 25 * HOUR_MS
    await refused('catalogue.expired')
    await f.client.restart()
    await refused('catalogue.unavailable')
    const listing = await send({ port: f.client.httpPort, path: '/listClients' })
    expect(listing.status).toBe(503)
  })

  it('a snapshot that only the provider finds expired is refused on its side', async () => {
    await f.catalogue[Symbol.asyncDispose]()
    f.clocks.provider.offsetMs = 25 * HOUR_MS
    await refused('catalogue.expired', 'provider')
  })
})

describe('without the OCSP responder', () => {
  it('exchanges go on until the answers at hand are over, and again when it is back', async () => {
    expect(await call()).toBe(200)
    await f.authority[Symbol.asyncDispose]()
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 3 * HOUR_MS
    expect(await call()).toBe(200)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 5 * HOUR_MS
    await refused('certificate.status-stale')
  })
})

describe('left alone', () => {
  it.each([9, 20])('for %i hours, the next call works', async (hours) => {
    expect(await call()).toBe(200)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = hours * HOUR_MS
    expect(await call()).toBe(200)
  })

  it('for a week asleep, calls work again as soon as the gateways have heard of the catalogue', async () => {
    expect(await call()).toBe(200)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 7 * 24 * HOUR_MS
    await vi.waitFor(async () => expect(await call()).toBe(200), { timeout: 10_000 })
  })
})

describe('with a clock that is off', () => {
  it('a request from the future is refused by the provider', async () => {
    expect(await call()).toBe(200)
    f.clocks.client.offsetMs = 10 * MINUTE_MS
    await refused('manifest.time-invalid', 'provider')
  })

  it('an answer from the past is refused by the client', async () => {
    expect(await call()).toBe(200)
    const late = f.call(`${PATH}/slowly`)
    await vi.waitFor(() => expect(f.register.calls.at(-1)?.url).toBe('/base/slowly'), {
      interval: 1,
    })
    f.clocks.provider.offsetMs = -10 * MINUTE_MS
    const { status, body } = await late
    expect([status, body.toString('utf8')]).toEqual([
      403,
      expect.stringContaining('The client gateway refused (manifest.time-invalid)'),
    ])
  })
})

describe('when the exchange log takes no entries', () => {
  const logFile = (side: 'client' | 'provider'): string =>
    `${f[side].config.stateDir}/exchange-log.db`

  it.each(['client', 'provider'] as const)(
    'because another program holds it, the %s gateway hands nothing on, and goes on afterwards',
    async (side) => {
      expect(await call()).toBe(200)
      const calls = f.register.calls.length
      const lock = new DatabaseSync(logFile(side))
      lock.exec('BEGIN IMMEDIATE')
      const { status, headers, body } = await f.call(PATH)
      expect(body.toString('utf8')).toContain('(log.unavailable)')
      expect(status).toBe(503)
      const proxy = side === 'client' ? 'clientproxy' : 'serverproxy'
      expect(headers['x-road-error']).toBe(`server.${proxy}.logging_failed`)
      expect(f.register.calls.length).toBe(calls)
      lock.exec('ROLLBACK')
      lock.close()
      expect(await call()).toBe(200)
    },
  )

  it.each(['client', 'provider'] as const)(
    'because the %s gateway’s log has reached its size, nothing is handed on',
    async (side) => {
      await f[side].restart({ exchangeLog: { ...LOG, maxBytes: 131_072 } })
      await f.settled()
      await vi.waitFor(async () => expect(await call()).toBe(503), { timeout: 30_000, interval: 1 })
      const calls = f.register.calls.length
      const { body } = await f.call(PATH)
      expect(body.toString('utf8')).toContain('(log.unavailable)')
      expect(f.register.calls.length).toBe(calls)
      await f[side].restart({ exchangeLog: { ...LOG, maxBytes: 1_073_741_824 } })
      await f.settled()
      expect(await call()).toBe(200)
    },
  )

  it('after the service was called, its answer is not handed on', async () => {
    expect(await call()).toBe(200)
    const lock = new DatabaseSync(logFile('provider'))
    const answer = f.call(`${PATH}/slowly`)
    await vi.waitFor(() => expect(f.register.calls.at(-1)?.url).toBe('/base/slowly'), {
      interval: 1,
    })
    lock.exec('BEGIN IMMEDIATE')
    const { status, body } = await answer
    expect([status, body.toString('utf8')]).toEqual([
      503,
      expect.stringContaining('(log.unavailable-after-call)'),
    ])
    lock.exec('ROLLBACK')
    lock.close()
  })
})
