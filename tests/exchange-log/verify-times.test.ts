import { describe, expect, it } from 'vitest'
import { createTimeCheck, type StampedSize } from '../../exchange-log/verify/times.ts'

const MINUTE_MS = 60_000
const START = Date.UTC(2026, 2, 1, 8)
const at = (minutes: number): number => START + minutes * MINUTE_MS
const stamp = (size: number, minutes: number): StampedSize => ({
  size,
  genTime: new Date(at(minutes)),
})

/** Records from position 1 on, with their times in minutes. @returns what is found. */
function check(records: readonly number[], stamps: readonly StampedSize[], until = 10_000) {
  const verify = createTimeCheck(stamps, new Date(at(until)))
  return records.flatMap((minutes, index) => verify(index + 1, at(minutes)) ?? [])
}
const codes = (findings: ReturnType<typeof check>) =>
  findings.map(({ code, position }) => `${position} ${code}`)

/** Ten records an hour, stamped each hour. */
const hours = (count: number): number[] => Array.from({ length: count * 10 }, (_, i) => i * 6 + 1)
const hourly = [stamp(10, 60), stamp(20, 120), stamp(30, 180)]

describe('the times of records', () => {
  it('are in order in a log as gateways make it, stamped late or never', () => {
    expect(check(hours(3), hourly)).toEqual([])
    expect(check(hours(3), [stamp(30, 180)])).toEqual([])
    expect(check(hours(3), [])).toEqual([])
    expect(check([], hourly)).toEqual([])
  })

  it('may differ by what clocks and checkpoints differ, and no more', () => {
    const [first, second] = [stamp(1, 60), stamp(2, 120)]
    expect(check([65, 65], [first, second])).toEqual([])
    expect(codes(check([65.1], [first, second]))).toEqual(['1 record.post-dated'])
    expect(check([49, 50], [first, second])).toEqual([])
    expect(codes(check([49, 49.9], [first, second]))).toEqual(['2 record.back-dated'])
    expect(codes(check([55, 125.1], [first, second]))).toEqual(['2 record.post-dated'])
  })

  it('name the record that was dated back, and the token that does not cover it', () => {
    const records = hours(3)
    records[24] = 30 // position 25, stamped between 120 and 180
    const found = check(records, hourly)
    expect(codes(found)).toEqual(['25 record.back-dated'])
    expect(found[0]).toMatchObject({
      recordedAt: new Date(at(30)),
      detail:
        'record 25 says that it was recorded at 2026-03-01T08:30:00.000Z, and the time-stamp of 2026-03-01T10:00:00.000Z over 20 records does not cover it',
    })
  })

  it('name the record that was dated on, and nothing that comes after it', () => {
    const records = hours(3)
    records[4] = 170 // position 5, covered at 60
    const found = check(records, hourly)
    expect(codes(found)).toEqual(['5 record.post-dated'])
    expect(found[0]!.detail).toMatch(
      /the time-stamp of 2026-03-01T09:00:00.000Z over 10 records covers it/,
    )
  })

  it('show a clock that was set back between two tokens, and behind the last', () => {
    expect(codes(check([10, 30, 24], [stamp(3, 60)]))).toEqual(['3 record.back-dated'])
    expect(check([10, 30, 26], [stamp(3, 60)])).toEqual([])
    expect(codes(check([10, 70, 40, 71], [stamp(1, 15)]))).toEqual(['3 record.back-dated'])
  })

  it('are not in the future', () => {
    expect(codes(check([10, 40], [stamp(1, 15)], 30))).toEqual(['2 record.post-dated'])
    expect(check([10, 34], [stamp(1, 15)], 30)).toEqual([])
  })

  it('are held against the strictest of all tokens, in whatever order those came', () => {
    // A larger tree was stamped earlier than a smaller one: both existed at the earlier time.
    const stamps = [stamp(20, 50), stamp(10, 90)]
    expect(codes(check([...Array<number>(9).fill(40), 70], stamps))).toEqual([
      '10 record.post-dated',
    ])
    const verify = createTimeCheck(hourly.toReversed(), new Date(at(10_000)))
    expect(verify(25, at(30))).toMatchObject({ code: 'record.back-dated' })
    expect(verify(26, at(150))).toBeUndefined()
  })
})
