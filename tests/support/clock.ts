import type { Clock } from '../../runtime/clock.ts'

/** A clock that runs with the machine's, ahead or behind by what a test sets. */
export interface ShiftedClock {
  offsetMs: number
  readonly now: Clock
}

export function shiftedClock(): ShiftedClock {
  const clock: ShiftedClock = { offsetMs: 0, now: () => new Date(Date.now() + clock.offsetMs) }
  return clock
}

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
