/** What time-stamps say about the times that records claim (protocol/README.md §12.5). */

/** What a verified token says: this many records existed by then. */
export interface StampedSize {
  readonly size: number
  readonly genTime: Date
}
export interface TimeFinding {
  readonly code: 'record.back-dated' | 'record.post-dated'
  readonly position: number
  readonly recordedAt: Date
  /** One sentence. */
  readonly detail: string
}

/** Asked once for each record, in the order of positions; some may be left out. */
export type TimeCheck = (position: number, recordedAtMs: number) => TimeFinding | undefined

/** How far the clocks of gateways and time-stamping authorities may differ: a gateway keeps no other token. */
export const CLOCKS_DIFFER_MS = 5 * 60_000
/** How much older than its token a stamped checkpoint may be: a gateway has no older one stamped. */
export const CHECKPOINT_LAG_MS = 5 * 60_000

/**
 * Checks the time of recording of each record against the tokens before and after it, and against the records
 * before it.
 *
 * @param stamps in any order; their tokens were verified.
 * @param until when the check is made: nothing was recorded later.
 */
export function createTimeCheck(stamps: readonly StampedSize[], until: Date): TimeCheck {
  const bounds = boundsOf(stamps, until.getTime())
  let next = 0
  let newest = { position: 0, ms: -Infinity }
  return (position, recordedAtMs) => {
    while (position > bounds[next]!.upTo) next += 1
    const { before, after } = bounds[next]!
    const finding = (code: TimeFinding['code'], why: string): TimeFinding => {
      const recordedAt = new Date(recordedAtMs)
      const detail = `record ${position} says that it was recorded at ${isoOf(recordedAtMs)}, and ${why}`
      return { code, position, recordedAt, detail }
    }
    if (recordedAtMs > after.ms + CLOCKS_DIFFER_MS) {
      const words = after.size === undefined ? 'that is yet to come' : coveredWords(after)
      return finding('record.post-dated', words)
    }
    if (recordedAtMs < before.ms - CLOCKS_DIFFER_MS - CHECKPOINT_LAG_MS) {
      const words = `the time-stamp of ${isoOf(before.ms)} over ${before.size} records does not cover it`
      return finding('record.back-dated', words)
    }
    if (recordedAtMs < newest.ms - CLOCKS_DIFFER_MS) {
      const words = `record ${newest.position} before it says ${isoOf(newest.ms)}`
      return finding('record.back-dated', words)
    }
    if (recordedAtMs > newest.ms) newest = { position, ms: recordedAtMs }
    return undefined
  }
}

interface Bound {
  readonly ms: number
  /** Of the token that says so. */
  readonly size: number | undefined
}
interface Interval {
  /** The last position in it. */
  readonly upTo: number
  /** Tokens that do not cover it: the latest of their times. */
  readonly before: Bound
  /** Tokens that cover it: the earliest of their times. */
  readonly after: Bound
}

function boundsOf(stamps: readonly StampedSize[], untilMs: number): Interval[] {
  const sorted = stamps
    .map(({ size, genTime }) => ({ size, ms: genTime.getTime() }))
    .toSorted((a, b) => a.size - b.size || a.ms - b.ms)
  let after: Bound = { ms: untilMs, size: undefined }
  const afters = sorted.toReversed().map((stamp) => {
    if (stamp.ms < after.ms) after = stamp
    return after
  })
  afters.reverse().push({ ms: untilMs, size: undefined })
  let before: Bound = { ms: -Infinity, size: undefined }
  return afters.map((earliest, index) => {
    const stamp = sorted[index]
    const interval = { upTo: stamp?.size ?? Infinity, before, after: earliest }
    if (stamp && stamp.ms > before.ms) before = stamp
    return interval
  })
}

const coveredWords = ({ ms, size }: Bound): string =>
  `the time-stamp of ${isoOf(ms)} over ${size} records covers it already`

const isoOf = (ms: number): string => new Date(ms).toISOString()
