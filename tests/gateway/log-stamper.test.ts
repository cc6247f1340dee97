import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLines, stampedBytes } from '../../gateway/time-stamps/stamped-bytes.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { refusalEntry } from '../contract/exchange-log-entries.ts'
import { HOUR_MS, MINUTE_MS } from '../support/clock.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'
import { approvedOf, GATEWAY_ID, openStampedLog } from './log-stamper-support.ts'

let first: TimeStampingServer
let second: TimeStampingServer
beforeAll(async () => {
  first = await startTimeStampingServer()
  second = await startTimeStampingServer()
})
afterAll(async () => {
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
})

const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest()

/** Backs off end after 20 ms here. */
const backOff = () => delay(60)

describe('a stamped exchange log', () => {
  it('has one token over all that is new, of exactly the bytes that the document defines', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    const { log, stamper, stamps } = stamped
    await stamper.stampNow()
    expect(stamps.last()).toBeUndefined()
    await stamped.append(2)
    const refusal = refusalEntry('x-3', 'access.denied', { at: new Date('2026-01-01T08:00:00Z') })
    await log.append(refusal)
    await stamper.stampNow()
    const one = stamps.last()!
    expect(one).toMatchObject({ first: 1, last: 3, authority: 'first' })
    const record = canonicalJson({ ...refusal, at: '2026-01-01T08:00:00.000Z', position: 3 })
    const lines = [
      'spean-log-stamp 1',
      `gateway ${GATEWAY_ID}`,
      'records 1 3',
      'previous -',
      `1:${sha256('manifest-1').toString('base64url')}`,
      `2:${sha256('manifest-2').toString('base64url')}`,
      `3:${sha256(record).toString('base64url')}`,
    ]
    const bytes = lines.map((line) => `${line}\n`).join('')
    const expected = { hash: 'sha256', at: new Date(), anchors: [first.tsa.root] } as const
    verifyTimeStamp(one.token, { ...expected, digest: sha256(bytes) })

    await stamped.append(1)
    await stamper.stampNow()
    const two = stamps.last()!
    expect(two).toMatchObject({ first: 4, last: 4 })
    const range = { gatewayId: GATEWAY_ID, first: 4, last: 4, previous: one.token }
    const next = stampedBytes(range, await readLines(log, 4, 4))
    expect(next.toString()).toContain(`\nprevious ${sha256(one.token).toString('base64url')}\n`)
    verifyTimeStamp(two.token, { ...expected, digest: sha256(next) })
    expect(stamper.health()).toMatchObject({ state: 'ok', lastTsa: 'first', fault: undefined })
    expect(stamps.covering(2)).toEqual(one)
    expect(stamps.list({ limit: 9 })).toEqual([two, one])
  })

  it('is stamped by itself, at the interval', async () => {
    const settings = { intervalSeconds: 0.05, limitMinutes: 240, authorities: [] }
    await using stamped = await openStampedLog([approvedOf('first', first)], { settings })
    await stamped.append(1)
    await expect.poll(() => stamped.stamps.last()?.last).toBe(1)
    const { asked } = first
    await delay(150)
    expect(first.asked).toBe(asked) // nothing new: nobody is asked
  })

  it('catches up after an outage with one token, and says meanwhile how long it lasts', async () => {
    await using server = await startTimeStampingServer()
    await using stamped = await openStampedLog([approvedOf('only', server)])
    const { clock, stamper, stamps, lines } = stamped
    server.serve(undefined)
    await stamped.append(700)
    await stamper.stampNow()
    expect(stamps.last()).toBeUndefined()
    expect(stamper.health()).toMatchObject({
      state: 'ok',
      fault: { code: 'timestamp.unavailable' },
      authorities: [{ name: 'only', url: server.url, fault: { code: 'timestamp.unavailable' } }],
    })
    clock.offsetMs = 81 * MINUTE_MS
    await stamped.append(700)
    await backOff()
    await stamper.stampNow()
    await stamper.stampNow()
    expect(stamper.health().state).toBe('warning')
    clock.offsetMs = 241 * MINUTE_MS
    await backOff()
    await stamper.stampNow()
    expect(stamper.health().state).toBe('over')
    clock.offsetMs = 0
    server.serve(server.tsa.open())
    await expect.poll(() => stamps.last()?.last, { timeout: 5000 }).toBe(1400) // tried again by itself
    await stamper.stampNow()
    expect(stamps.list({ limit: 9 })).toMatchObject([{ first: 1, last: 1400 }])
    const health = stamper.health()
    expect(health).toMatchObject({ state: 'ok', authorities: [{ name: 'only' }] })
    expect(health.authorities[0]).not.toHaveProperty('fault')
    expect(health.oldestUnstampedAt).toBeUndefined()
    const told = lines.map(({ level, text }) => `${String(level)}: ${String(text)}`)
    expect(told).toEqual([
      'warn: the exchange log is not time-stamped',
      'warn: records wait for a time-stamp',
      'error: records wait for a time-stamp',
      'info: the exchange log is time-stamped again',
    ])
  })

  it('covers more than one token holds in several, none of them twice', async () => {
    await using stamped = await openStampedLog([])
    await stamped.append(10_500)
    stamped.approved = [approvedOf('first', first)]
    await stamped.stamper.stampNow()
    expect(stamped.stamps.list({ limit: 9 })).toMatchObject([
      { first: 10_001, last: 10_500 },
      { first: 1, last: 10_000 },
    ])
  })

  it('asks authorities in order: the second while the first fails, the first again afterwards', async () => {
    await using server = await startTimeStampingServer()
    const both = [approvedOf('a', server), approvedOf('b', second)]
    await using stamped = await openStampedLog(both, { backOffMs: 100 })
    const { stamper, stamps } = stamped
    server.serve(undefined)
    const { asked } = server
    for (let i = 0; i < 3; i += 1) {
      await stamped.append(1)
      await stamper.stampNow()
    }
    expect(stamps.list({ limit: 9 }).map(({ authority }) => authority)).toEqual(['b', 'b', 'b'])
    expect(server.asked).toBe(asked + 1) // and then it was left alone
    expect(stamper.health().authorities).toMatchObject([
      { name: 'a', fault: { code: 'timestamp.unavailable' } },
      { name: 'b' },
    ])
    server.serve(server.tsa.open())
    await delay(150)
    await stamped.append(1)
    await stamper.stampNow()
    expect(stamps.last()?.authority).toBe('a')
  })

  it('asks those that the configuration names, in its order', async () => {
    const settings = { intervalSeconds: 3600, limitMinutes: 240, authorities: ['b'] }
    const both = [approvedOf('a', first), approvedOf('b', second)]
    await using stamped = await openStampedLog(both, { settings })
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect(stamped.stamps.last()?.authority).toBe('b')
  })

  it('keeps no token whose time is an hour off, and says which clocks to compare', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    stamped.clock.offsetMs = HOUR_MS
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect(stamped.stamps.last()).toBeUndefined()
    const { fault } = stamped.stamper.health()
    expect(fault?.code).toBe('timestamp.invalid')
    expect(fault?.detail).toMatch(/first at http.*it says 20.*, and the time here is 20/)
    expect(fault?.remedy).toContain('clocks')
  })

  it.each([
    ['nobody listens', { url: 'http://127.0.0.1:1/tsp' }, /does not answer \(ECONNREFUSED\)/],
    [
      'the name is unknown',
      { url: 'http://tsa.invalid/tsp' },
      /does not answer \((ENOTFOUND|EAI_AGAIN)\)/,
    ],
  ])('says why an authority does not answer: %s', async (_name, change, detail) => {
    await using stamped = await openStampedLog([{ ...approvedOf('first', first), ...change }])
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect(stamped.stamper.health().fault).toMatchObject({
      code: 'timestamp.unavailable',
      detail: expect.stringMatching(detail) as string,
    })
  })

  it('goes on behind its last token after a restart, and changes nothing that is covered', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    await stamped.append(3)
    await stamped.stamper.stampNow()
    const kept = stamped.stamps.last()!
    expect(() => stamped.stamps.add(kept)).toThrow(
      expect.objectContaining({ name: 'StampStoreError' }),
    )
    expect(() => stamped.stamps.add({ ...kept, first: 5, last: 9 })).toThrow(
      expect.objectContaining({ name: 'StampStoreError' }),
    )
    expect(stamped.stamps.list({ limit: 9 })).toEqual([kept])
  })
})
