import { describe, expect, it, vi } from 'vitest'
import { createClockCheck } from '../../gateway/trust/clock-check.ts'
import { createLogger } from '../../runtime/logger.ts'
import { shiftedClock } from '../support/clock.ts'

function measured() {
  const clock = shiftedClock()
  const logger = createLogger('test', 'silent')
  const told = { warn: vi.spyOn(logger, 'warn'), error: vi.spyOn(logger, 'error') }
  const check = createClockCheck({ gateway: 'G', clock: clock.now, logger })
  const hear = (offsetMs: number, roundTripMs: number | undefined = 0): void => {
    clock.offsetMs = 0
    // Half a second is what a Date header leaves out in the middle.
    const date = new Date(Date.now() - offsetMs - (roundTripMs ?? 0) / 2)
    check.hear({ date: date.toUTCString(), against: 'the catalogue', roundTripMs })
  }
  return { clock, check, hear, told }
}
const off = expect.objectContaining({ code: 'gateway.clock-off' }) as Error

describe('the clock check', () => {
  it('passes before it has heard of another clock, and with one that is right', () => {
    const { check, hear, told } = measured()
    expect(() => check.verify()).not.toThrow()
    expect(check.state).toBeUndefined()
    expect(check.words()).toContain('was not compared')
    hear(0)
    expect(() => check.verify()).not.toThrow()
    expect(Math.abs(check.state!.offsetMs)).toBeLessThanOrEqual(1000)
    expect(check.words()).toContain('is right')
    expect(told.warn).not.toHaveBeenCalled()
  })

  it.each([
    [299_000 - 1000, undefined],
    [-299_000 + 1000, undefined],
    [302_000, 'ahead of'],
    [-302_000, 'behind'],
    [3_600_000, 'ahead of'],
  ])('at %i milliseconds says: %s', (offsetMs, which) => {
    const { check, hear } = measured()
    hear(offsetMs)
    if (which === undefined) expect(() => check.verify()).not.toThrow()
    else {
      expect(() => check.verify()).toThrow(off)
      expect(() => check.verify()).toThrow(
        new RegExp(`gateway G is .* ${which} that of the catalogue`),
      )
    }
    expect(Math.abs(check.state!.offsetMs - offsetMs)).toBeLessThan(1000)
  })

  it('goes by the median of the last three: one answer that took a detour changes nothing', () => {
    const { check, hear } = measured()
    for (const offset of [0, 0, 900_000]) hear(offset)
    expect(() => check.verify()).not.toThrow()
    hear(900_000)
    expect(() => check.verify()).toThrow(off)
  })

  it('halves the round trip, also for an answer that was held back', () => {
    const { check, hear } = measured()
    hear(0, 20_000)
    hear(0, 20_000)
    expect(Math.abs(check.state!.offsetMs)).toBeLessThanOrEqual(1000)
    const date = new Date(Date.now() - 10_000).toUTCString()
    for (let i = 0; i < 3; i += 1) {
      check.hear({ date, against: 'the catalogue', roundTripMs: undefined })
    }
    expect(Math.abs(check.state!.offsetMs)).toBeLessThanOrEqual(1000)
  })

  it('forgets what it measured when the clock is set, and the first word after that counts', () => {
    const { check, clock, hear } = measured()
    for (let i = 0; i < 3; i += 1) hear(3_600_000)
    expect(() => check.verify()).toThrow(off)
    clock.offsetMs = -3_600_000
    expect(check.state).toBeUndefined()
    expect(() => check.verify()).not.toThrow()
    const date = new Date(clock.now().getTime()).toUTCString()
    check.hear({ date, against: 'the catalogue', roundTripMs: 0 })
    expect(Math.abs(check.state!.offsetMs)).toBeLessThanOrEqual(1000)
  })

  it('warns once from five seconds on, and once more when no exchange is taken', () => {
    const { hear, told } = measured()
    for (let i = 0; i < 4; i += 1) hear(7000)
    expect(told.warn).toHaveBeenCalledTimes(1)
    for (let i = 0; i < 4; i += 1) hear(400_000)
    expect(told.error).toHaveBeenCalledTimes(1)
  })

  it.each([undefined, 'yesterday', '', ['a', 'b']])('passes over what is no time: %j', (date) => {
    const { check } = measured()
    check.hear({ date, against: 'the catalogue', roundTripMs: 0 })
    expect(check.state).toBeUndefined()
  })
})
