import type { Clock } from '../../runtime/clock.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { ExchangeEntry, Side } from '../../exchange-log/record.ts'

/** Refusals that the log could not take when they happened; in memory, so that they end with the process. */
export interface LateRefusals {
  keep(entry: ExchangeEntry): void
  /** The log takes entries: what is kept is recorded now, not at the next try. Never throws. */
  recordNow(): Promise<void>
}

interface Counted {
  readonly side: Side
  readonly code: ErrorCode | undefined
  readonly from: Date
  count: number
  to: Date
}

/** Kept one by one, some 2 KiB each; those beyond are counted by side and code. */
const MOST = 1000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000

/** @param record of one entry; throws while the log takes none. */
export function createLateRefusals(
  record: (entry: ExchangeEntry) => Promise<unknown>,
  clock: Clock,
): LateRefusals {
  const kept: ExchangeEntry[] = []
  const counted = new Map<string, Counted>()
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let retryMs = FIRST_RETRY_MS

  const recordAll = async (): Promise<void> => {
    for (let [entry] = kept; entry !== undefined; [entry] = kept) {
      await record(late(entry, clock()))
      kept.shift()
    }
    for (const [key, counts] of counted) {
      counted.delete(key)
      try {
        await record(summaryOf(counts))
      } catch (error) {
        // Others may have been counted meanwhile.
        const more = counted.get(key)
        if (more) counts.count += more.count
        counted.set(key, { ...counts, to: more?.to ?? counts.to })
        throw error
      }
    }
  }
  const recordNow = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    running ??= recordAll()
      .then(
        () => void (retryMs = FIRST_RETRY_MS),
        () => void (retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)),
      )
      .finally(() => {
        running = undefined
        arm()
      })
    return running
  }
  const arm = (): void => {
    if (kept.length + counted.size > 0)
      timer ??= setTimeout(() => void recordNow(), retryMs).unref()
  }
  return {
    keep: (entry) => {
      if (kept.length < MOST) kept.push(entry)
      else {
        const { side, code, at } = entry
        const key = `${side} ${code}`
        const counts = counted.get(key) ?? { side, code, from: at, count: 0, to: at }
        counted.set(key, { ...counts, count: counts.count + 1, to: at })
      }
      if (running === undefined) arm()
    },
    recordNow: async () => {
      if (kept.length + counted.size > 0) await recordNow()
    },
  }
}

/** Whatever it was refused for: the caller was told that the log takes no entries. */
function late(entry: ExchangeEntry, now: Date): ExchangeEntry {
  const after = `recorded at ${now.toISOString()}, when the log took entries again`
  return { ...entry, detail: `${entry.detail ?? ''} (${after})`.trim() }
}

function summaryOf({ side, code, count, from, to }: Counted): ExchangeEntry {
  const span = `from ${from.toISOString()} to ${to.toISOString()}`
  const detail = `${count} more refusals ${span}, when the log took no entries`
  const exchangeId = crypto.randomUUID()
  return { exchangeId, side, kind: 'refusal', at: to, detail, ...(code ? { code } : {}) }
}
