/** What time-stamps say about the times that records claim (protocol/README.md §12.5). */
import { countText } from '../../runtime/count-text.ts'

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
  const telling = tellingStamps(stamps)
  let next = 0
  let newest = { position: 0, ms: -Infinity }
  return (position, recordedAtMs) => {
    while (position > (telling[next]?.size ?? Infinity)) next += 1
    const [before, after] = [telling[next - 1], telling[next]]
    const finding = (code: TimeFinding['code'], why: string): TimeFinding => {
      const recordedAt = new Date(recordedAtMs)
      const detail = `record ${position} says that it was recorded at ${isoOf(recordedAtMs)}, and ${why}`
      return { code, position, recordedAt, detail }
    }
    if (recordedAtMs > (after?.ms ?? until.getTime()) + CLOCKS_DIFFER_MS) {
      const words = after ? `${wordsOf(after)} covers it already` : 'that is yet to come'
      return finding('record.post-dated', words)
    }
    if (before && recordedAtMs < before.ms - CLOCKS_DIFFER_MS - CHECKPOINT_LAG_MS) {
      return finding('record.back-dated', `${wordsOf(before)} does not cover it`)
    }
    if (recordedAtMs < newest.ms - CLOCKS_DIFFER_MS) {
      const words = `record ${newest.position} before it says ${isoOf(newest.ms)}`
      return finding('record.back-dated', words)
    }
    if (recordedAtMs > newest.ms) newest = { position, ms: recordedAtMs }
    return undefined
  }
}

interface Telling {
  readonly size: number
  readonly ms: number
}

/**
 * Smallest tree first, and times never go back: when a larger tree existed earlier, a token over a smaller one says
 * nothing of what was not there yet.
 */
function tellingStamps(stamps: readonly StampedSize[]): Telling[] {
  const telling: Telling[] = []
  for (const { size, genTime } of stamps.toSorted((a, b) => b.size - a.size)) {
    const ms = genTime.getTime()
    if (ms <= (telling.at(-1)?.ms ?? Infinity)) telling.push({ size, ms })
  }
  return telling.reverse()
}

const wordsOf = ({ size, ms }: Telling): string =>
  `the time-stamp of ${isoOf(ms)} over ${countText(size, 'record')}`

const isoOf = (ms: number): string => new Date(ms).toISOString()
