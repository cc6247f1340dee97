import { ExchangeError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ClockCheck } from '../ports.ts'
import { duration } from './duration.ts'

/** How far this gateway's clock is off, as somebody else's clock has it. */
export interface ClockState {
  /** Positive when ours is ahead. */
  readonly offsetMs: number
  /** Whose clock it was compared with. */
  readonly against: string
  readonly measuredAt: Date
}

/** What was told over a channel that proved who tells it. */
export interface ToldTime {
  /** `Date` header (RFC 9110 §6.6.1); what is not one is passed over. */
  readonly date: string | string[] | undefined
  readonly against: string
  /** Time from question to answer; undefined when the answer was held back, so that it says nothing. */
  readonly roundTripMs: number | undefined
}

export interface MeasuredClock extends ClockCheck {
  hear(told: ToldTime): void
  /** Undefined before the first measurement, and after the clock was set. */
  readonly state: ClockState | undefined
}

const WARN_MS = 5000
const REFUSE_MS = LIMITS.signatureAgeSeconds * 1000
/** Of so many the median counts: one answer that took a detour is none to go by. */
const SAMPLES = 3
/** A `Date` header has whole seconds, the rest cut off. */
const HALF_SECOND_MS = 500
/** When clock and uptime go apart by more, somebody has set the clock since, or the machine slept. */
const SET_MS = 5000

/**
 * Compares the gateway's clock with the clocks it hears of, so that a wrong one is told as what it is and
 * not as an expired certificate, a stale OCSP answer or a signature of the future.
 */
export function createClockCheck(deps: {
  readonly gateway: string
  readonly clock: Clock
  readonly logger: Logger
}): MeasuredClock {
  const { gateway, clock, logger } = deps
  let samples: number[] = []
  let halfTripMs = 0
  let last: { readonly state: ClockState; readonly uptimeMs: number } | undefined
  let told: 'right' | 'off' | 'wrong' = 'right'

  /** A measurement from before the clock was set says nothing any more. */
  const current = (): ClockState | undefined => {
    if (last === undefined) return undefined
    const byClock = clock().getTime() - last.state.measuredAt.getTime()
    const byUptime = performance.now() - last.uptimeMs
    return Math.abs(byClock - byUptime) > SET_MS ? undefined : last.state
  }

  return {
    hear: ({ date, against, roundTripMs }) => {
      const theirs = Date.parse(String(date))
      if (Number.isNaN(theirs)) return
      if (current() === undefined) samples = []
      if (roundTripMs !== undefined) halfTripMs = roundTripMs / 2
      const measuredAt = clock()
      const offset = measuredAt.getTime() - (theirs + HALF_SECOND_MS + halfTripMs)
      samples = [...samples, offset].slice(-SAMPLES)
      const offsetMs = Math.round(median(samples))
      last = { state: { offsetMs, against, measuredAt }, uptimeMs: performance.now() }
      told = announce(last.state, told, logger)
    },
    get state() {
      return current()
    },
    verify: () => {
      const state = current()
      if (state === undefined || Math.abs(state.offsetMs) <= REFUSE_MS) return
      const { against, measuredAt } = state
      throw new ExchangeError(
        'gateway.clock-off',
        `the clock of gateway ${gateway} is ${apart(state)} that of ${against}, measured at ${measuredAt.toISOString()} by its own time; ${LIMITS.signatureAgeSeconds} s is the limit`,
      )
    },
    words: () => {
      const state = current()
      if (state === undefined) return `the clock of gateway ${gateway} was not compared lately`
      if (Math.abs(state.offsetMs) < WARN_MS) {
        return `the clock of gateway ${gateway} is right by that of ${state.against}`
      }
      return `the clock of gateway ${gateway} is ${apart(state)} that of ${state.against}`
    },
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0

const apart = ({ offsetMs }: ClockState): string =>
  `${duration(Math.abs(offsetMs))} (${Math.round(Math.abs(offsetMs) / 1000)} s) ${offsetMs > 0 ? 'ahead of' : 'behind'}`

function announce(
  state: ClockState,
  told: 'right' | 'off' | 'wrong',
  logger: Logger,
): 'right' | 'off' | 'wrong' {
  const off = Math.abs(state.offsetMs)
  const found = off > REFUSE_MS ? 'wrong' : off >= WARN_MS ? 'off' : 'right'
  if (found === told) return told
  const line = { ...state }
  if (found === 'wrong') logger.error(line, 'the clock is wrong: no exchange is taken')
  else if (found === 'off') logger.warn(line, 'the clock is off')
  else logger.info(line, 'the clock is right again')
  return found
}
