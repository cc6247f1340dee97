import { describe, expect, it } from 'vitest'
import type { KeepingRule } from '../../exchange-log/config.ts'
import { startRetention, type Retention } from '../../exchange-log/retention.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { requestEntry, responseEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import { bodyOf, message, NOW, openLog, random, silent, type OpenLog } from './support.ts'

const HEALTH = 'KH/GOV/HOSPITAL/CARE/health'
const ECHO = 'KH/GOV/REG/POP/echo'
const rules: KeepingRule[] = [
  { classification: 'sensitive', keep: 'full', days: 10 },
  { service: 'KH/GOV/REG/*', keep: 'full', days: 30 },
]
const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * 86_400_000)

const retentionOf = (
  { records, erasure }: OpenLog,
  more: { verifyClock?: () => void; rules?: KeepingRule[] } = {},
): Retention =>
  startRetention({
    ...{ store: records, erasure, rules, clock: () => NOW, logger: silent },
    classificationOf: (service) => (service === HEALTH ? 'sensitive' : undefined),
    verifyClock: () => undefined,
    ...more,
  })

async function exchange({ log }: OpenLog, service: string, days: number): Promise<string> {
  const id = `${service} ${days}`
  const at = daysAgo(days)
  const begun = await log.record(requestEntry(id, { service, at }), message(bodyOf(random(100))))
  // Answered now: an exchange is as old as its beginning.
  await log.record(responseEntry(id, begun, { service, at: NOW }), message(bodyOf(random(100))))
  return id
}
const kept = async ({ records }: OpenLog): Promise<string[]> => [
  ...new Set((await records.contents({ limit: 10_000 })).map(({ exchangeId }) => exchangeId)),
]

describe('retention', () => {
  it('erases what is older than its rule allows, request and answer, and nothing else', async () => {
    await using open = await openLog(temporaryFolder())
    for (const days of [40, 31, 29, 11, 9]) {
      for (const service of [HEALTH, ECHO, 'KH/GOV/OTHER/S/echo']) {
        await exchange(open, service, days)
      }
    }
    await using retention = retentionOf(open)
    await retention.runNow()
    expect(await kept(open)).toEqual([
      'KH/GOV/OTHER/S/echo 40',
      'KH/GOV/OTHER/S/echo 31',
      `${ECHO} 29`,
      'KH/GOV/OTHER/S/echo 29',
      `${ECHO} 11`,
      'KH/GOV/OTHER/S/echo 11',
      `${HEALTH} 9`,
      `${ECHO} 9`,
      'KH/GOV/OTHER/S/echo 9',
    ])
    const events = await open.records.events(['erasure'], 0, 100)
    expect(events.map(({ actor, detail }) => [actor, JSON.parse(detail!).reason])).toEqual([
      ['retention', 'retention: sensitive, 10 days'],
      ['retention', 'retention: KH/GOV/REG/*, 30 days'],
    ])
    expect([retention.lastRunAt, retention.fault]).toEqual([NOW, undefined])
    expect(await retention.runNow()).toBe(0)
    expect(await open.records.events(['erasure'], 0, 100)).toHaveLength(2)
  })

  it('says beforehand what it would erase, and leaves what is held', async () => {
    await using open = await openLog(temporaryFolder())
    const held = await exchange(open, ECHO, 50)
    await exchange(open, ECHO, 40)
    await open.erasure.hold({ exchangeId: held }, { actor: 'a', reason: 'court' })
    await using retention = retentionOf(open, {
      verifyClock: () => {
        throw new ExchangeError('gateway.clock-off', 'the clock is off')
      },
    })
    expect(await retention.preview()).toEqual([
      { rule: rules[0], due: 0, held: 0 },
      { rule: rules[1], due: 4, held: 2 },
    ])
    await retention.runNow()
    // By a clock that is known to be wrong nothing is erased.
    expect(await kept(open)).toHaveLength(2)
    expect(retention.fault).toContain('the clock is off')
    await using good = retentionOf(open)
    await good.runNow()
    expect(await kept(open)).toEqual([held])
  })

  it('goes in batches, one event for each, while others append', async () => {
    await using open = await openLog(temporaryFolder())
    const at = daysAgo(40)
    const entry = (i: number) => requestEntry(`x-${i}`, { service: ECHO, at })
    await Promise.all(
      Array.from({ length: 1200 }, (_, i) => open.log.record(entry(i), message(bodyOf(random(9))))),
    )
    await using retention = retentionOf(open)
    const appending = open.log.record(
      requestEntry('young', { service: ECHO, at: NOW }),
      message(bodyOf(random(9))),
    )
    await retention.runNow()
    await appending
    expect(await kept(open)).toEqual(['young'])
    const events = await open.records.events(['erasure'], 0, 100)
    expect(events.map(({ detail }) => JSON.parse(detail!).positions)).toEqual([
      [[1, 500]],
      [[501, 1000]],
      [[1001, 1200]],
    ])
  })
})
