import { describe, expect, it } from 'vitest'
import { noticeDays, renewalDueAt, retryDelayMs } from '../../gateway/renewal/schedule.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { DAY_MS, NOW } from '../pki/support.ts'

const living = (lifeMs: number): Certificate =>
  ({ notBefore: NOW, notAfter: new Date(NOW.getTime() + lifeMs) }) as Certificate
/** A time so long before the end of a certificate. */
const before = ({ notAfter }: Certificate, ms: number): Date => new Date(notAfter.getTime() - ms)

describe('the time of renewal', () => {
  it.each([
    [730 * DAY_MS, 243],
    [90 * DAY_MS, 30],
  ])('of a life of %i ms is when %i days are left', (lifeMs, days) => {
    const certificate = living(lifeMs)
    const left = certificate.notAfter.getTime() - renewalDueAt(certificate).getTime()
    expect(Math.floor(left / DAY_MS)).toBe(days)
  })

  it('of thirty seconds is when ten are left', () => {
    expect(renewalDueAt(living(30_000))).toEqual(new Date(NOW.getTime() + 20_000))
  })
})

describe('the wait after a failure', () => {
  const year = living(365 * DAY_MS)
  it.each([
    ['the first', year, 1, 100 * DAY_MS, 5000],
    ['the fourth', year, 4, 100 * DAY_MS, 40_000],
    ['the twentieth', year, 20, 100 * DAY_MS, 3_600_000],
    ['the thousandth', year, 1000, 100 * DAY_MS, 3_600_000],
    ['with an hour left', year, 20, 3_600_000, 360_000],
    ['with seconds left', year, 20, 3000, 500],
    ['after the end', year, 20, -DAY_MS, 300_000],
    ['of a life of thirty seconds', living(30_000), 1, 10_000, 1000],
    ['of a life of thirty seconds, again', living(30_000), 3, 8000, 800],
  ])('%s', (_name, certificate, failures, leftMs, expected) => {
    const at = before(certificate, leftMs)
    expect(retryDelayMs(certificate, failures, at, 1)).toBe(expected)
  })

  it('is spread over half of it', () => {
    const at = before(year, 100 * DAY_MS)
    expect(retryDelayMs(year, 2, at, 0)).toBe(5000)
    expect(retryDelayMs(year, 2, at, 0.5)).toBe(7500)
  })
})

describe('a notice', () => {
  it.each([
    ['none', 2 * 365, 31, true, undefined],
    ['of 30 days', 2 * 365, 30, true, 30],
    ['of 30 days', 2 * 365, 15, true, 30],
    ['of 14 days', 2 * 365, 14, true, 14],
    ['of 7 days', 2 * 365, 7, true, 7],
    ['of 1 day', 2 * 365, 1, true, 1],
    ['of 1 day, after the end', 2 * 365, -1, true, 1],
    ['none while it is only being renewed', 90, 30, true, undefined],
    ['of 14 days when that is late', 90, 14, true, 14],
    ['of 30 days without renewal', 90, 30, false, 30],
    ['none of a life of a month', 30, 30, false, undefined],
    ['none of a life of hours', 0.2, 0.05, true, undefined],
  ])('%s: %d days long, %d left, renewed by itself: %s', (_name, life, left, renews, expected) => {
    const certificate = living(life * DAY_MS)
    expect(noticeDays(certificate, before(certificate, left * DAY_MS), renews)).toBe(expected)
  })
})
