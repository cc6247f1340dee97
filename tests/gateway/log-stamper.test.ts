import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { append, requestEntry } from '../contract/exchange-log-entries.ts'
import { HOUR_MS, MINUTE_MS } from '../support/clock.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'
import { approvedOf, ORIGIN, openStampedLog } from './log-stamper-support.ts'

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

const sha256 = (bytes: string): Buffer => createHash('sha256').update(bytes).digest()

/** Backs off end after 20 ms here. */
const backOff = () => delay(60)

describe('a stamped exchange log', () => {
  it('has one token over all that is new, about the first three lines of a checkpoint', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    const { stores, stamper, stamps } = stamped
    await stamper.stampNow()
    expect(await stamps.last()).toBeUndefined()
    await stamped.append(3)
    await stamper.stampNow()
    const one = (await stamps.last())!
    expect(one).toMatchObject({ size: 3, authority: 'first' })
    const { note, rootHash } = (await stores.tree.checkpoint(3))!
    const text = `${ORIGIN}\n3\n${rootHash.toString('base64')}\n`
    expect(note.startsWith(`${text}\n`)).toBe(true)
    const expected = { hash: 'sha256', at: new Date(), anchors: [first.tsa.root] } as const
    verifyTimeStamp(one.token, { ...expected, digest: sha256(text) })

    await stamped.append(1)
    await stamper.stampNow()
    const two = (await stamps.last())!
    expect(two.size).toBe(4)
    const next = checkpointText(parseCheckpoint((await stores.tree.head())!.note))
    verifyTimeStamp(two.token, { ...expected, digest: sha256(next) })
    expect(stamper.health()).toMatchObject({ state: 'ok', lastTsa: 'first', fault: undefined })
    expect(await stamps.covering(2)).toEqual(one)
    expect(await stamps.list({ limit: 9 })).toEqual([two, one])
  })

  it('is stamped by itself, at the interval', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)], {
      intervalSeconds: 0.05,
    })
    await stamped.append(1)
    await expect.poll(async () => (await stamped.stamps.last())?.size).toBe(1)
    const { asked } = first
    await delay(150)
    expect(first.asked).toBe(asked) // nothing new: nobody is asked
  })

  it('has the checkpoint stamped that witnesses have seen, as long as they are not far behind', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    const { stores, stamper, stamps, clock } = stamped
    await stamped.append(2)
    await stores.tree.addCosignatures(2, ['— witness AAAA'], clock.now())
    await stamped.append(1)
    await stamper.stampNow()
    expect((await stamps.last())?.size).toBe(2)
    expect(stamper.health().oldestUnstampedAt).toBeDefined()
    await stamper.stampNow()
    expect((await stamps.last())?.size).toBe(2) // the third is waited for
    clock.offsetMs = 31_000
    await stamper.stampNow()
    expect((await stamps.last())?.size).toBe(3)
    expect(stamper.health().oldestUnstampedAt).toBeUndefined()
  })

  it('has no checkpoint stamped that is far behind the log, and says what comes first', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    const { stores, stamper, stamps, clock } = stamped
    clock.offsetMs = -10 * MINUTE_MS
    stamped.approved = []
    await stamped.append(1)
    const entry = requestEntry('not-in-the-tree', { at: clock.now() })
    await append(stores.records, entry)
    clock.offsetMs = 0
    stamped.approved = [approvedOf('first', first)]
    for (let looks = 0; looks < 2; looks += 1) await stamper.stampNow()
    expect(await stamps.last()).toBeUndefined()
    expect(stamper.health().fault).toMatchObject({
      code: 'log.unavailable',
      detail: expect.stringContaining('are not in the tree of the log yet') as string,
    })
    await stamped.append(1)
    await stamper.stampNow()
    expect(await stamps.last()).toMatchObject({ size: 3 })
    expect(stamper.health().fault).toBeUndefined()
  })

  it('catches up after an outage with one token, and says meanwhile how long it lasts', async () => {
    await using server = await startTimeStampingServer()
    await using stamped = await openStampedLog([approvedOf('only', server)])
    const { clock, stamper, stamps, lines } = stamped
    server.serve(undefined)
    await stamped.append(700)
    await stamper.stampNow()
    expect(await stamps.last()).toBeUndefined()
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
    expect(stamper.health()).toMatchObject({ state: 'over', refusedFrom: undefined })
    stamper.verifyStamped() // refuses nothing unless it is chosen
    clock.offsetMs = 0
    server.serve(server.tsa.open())
    const last = async () => (await stamps.last())?.size
    await expect.poll(last, { timeout: 5000 }).toBe(1400) // tried again by itself
    await stamper.stampNow()
    expect(await stamps.list({ limit: 9 })).toMatchObject([{ size: 1400 }])
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

  it('refuses exchanges at the limit when that is chosen, says when long before, and stops with the next token', async () => {
    await using server = await startTimeStampingServer()
    const limit = { limitMinutes: 30, refuseAtLimit: true }
    await using stamped = await openStampedLog([approvedOf('only', server)], limit)
    const { clock, stamper, lines } = stamped
    server.serve(undefined)
    const before = clock.now().getTime()
    await stamped.append(1)
    await stamper.stampNow()
    const { refusedFrom } = stamper.health()
    expect(refusedFrom!.getTime() - before).toBeGreaterThanOrEqual(30 * MINUTE_MS)
    expect(refusedFrom!.getTime() - before).toBeLessThan(31 * MINUTE_MS)
    stamper.verifyStamped()
    clock.offsetMs = 10 * MINUTE_MS
    await backOff()
    await stamper.stampNow()
    expect(lines.at(-1)).toMatchObject({ level: 'warn', refusedFrom })
    stamper.verifyStamped()
    clock.offsetMs = 31 * MINUTE_MS // and without another look
    const refused = expect.objectContaining({
      code: 'log.unstamped',
      message: expect.stringMatching(
        /^gateway \S+ has records without a time-stamp since \S+Z, for 31 minutes, and 30 is the limit: .*only at http/,
      ) as string,
    }) as Error
    expect(() => stamper.verifyStamped()).toThrow(refused)
    clock.offsetMs = 0
    server.serve(server.tsa.open())
    await expect.poll(async () => (await stamped.stamps.last())?.size, { timeout: 5000 }).toBe(1)
    await stamper.stampNow()
    clock.offsetMs = 31 * MINUTE_MS
    stamper.verifyStamped()
  })

  it('asks authorities in order: the second while the first fails, the first again afterwards', async () => {
    await using server = await startTimeStampingServer()
    const both = [approvedOf('a', server), approvedOf('b', second)]
    await using stamped = await openStampedLog(both, { backOffMs: 3000 })
    const { stamper, stamps } = stamped
    server.serve(undefined)
    const { asked } = server
    for (let i = 0; i < 3; i += 1) {
      await stamped.append(1)
      await stamper.stampNow()
    }
    const kept = await stamps.list({ limit: 9 })
    expect(kept.map(({ authority }) => authority)).toEqual(['b', 'b', 'b'])
    expect(server.asked).toBe(asked + 1) // and then it was left alone
    expect(stamper.health().authorities).toMatchObject([
      { name: 'a', fault: { code: 'timestamp.unavailable' } },
      { name: 'b' },
    ])
    server.serve(server.tsa.open())
    await delay(3100)
    await stamped.append(1)
    await stamper.stampNow()
    expect((await stamps.last())?.authority).toBe('a')
  })

  it('asks those that the configuration names, in its order', async () => {
    const both = [approvedOf('a', first), approvedOf('b', second)]
    await using stamped = await openStampedLog(both, { authorities: ['b'] })
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect((await stamped.stamps.last())?.authority).toBe('b')
  })

  it('keeps no token whose time is an hour off, and says which clocks to compare', async () => {
    await using stamped = await openStampedLog([approvedOf('first', first)])
    stamped.clock.offsetMs = HOUR_MS
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect(await stamped.stamps.last()).toBeUndefined()
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
})
