import { describe, expect, it } from 'vitest'
import { createTimeCheck, type StampedSize } from '../../exchange-log/verify/times.ts'
import { readVectors } from '../protocol/support.ts'

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

interface Vector {
  readonly comment: string
  readonly stamps: { size: number; genTime: string }[]
  readonly until: string
  /** Times of recording from position 1 on. */
  readonly records: string[]
  readonly findings: { position: number; code: string }[]
}

describe('the vectors of times', () => {
  it.each(readVectors<Vector[]>('record-times'))('$comment', ({ stamps, until, ...vector }) => {
    const given = stamps.map(({ size, genTime }) => ({ size, genTime: new Date(genTime) }))
    const verify = createTimeCheck(given, new Date(until))
    const found = vector.records.flatMap((time, i) => verify(i + 1, Date.parse(time)) ?? [])
    expect(found.map(({ position, code }) => ({ position, code }))).toEqual(vector.findings)
  })
})

describe('the times of records', () => {
  it('are in order in a log as gateways make it, stamped late or never', () => {
    expect(check(hours(3), hourly)).toEqual([])
    expect(check(hours(3), [stamp(30, 180)])).toEqual([])
    expect(check(hours(3), [])).toEqual([])
    expect(check([], hourly)).toEqual([])
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
})
