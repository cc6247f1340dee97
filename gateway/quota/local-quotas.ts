import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Quotas } from '../ports.ts'
import { openDayCounts } from './day-counts.ts'
import { dayExhausted, dayOf, refusal } from './exhausted.ts'
import { createTokenBuckets } from './token-buckets.ts'

/** How often counts are written, and what is idle is forgotten. */
const FLUSH_MS = 1000

export interface LocalQuotas extends Quotas, Disposable {
  /** Contracts of which something is held. */
  readonly size: number
}

/**
 * Quotas of a gateway without replicas: buckets in memory, the counts of days in a file too.
 *
 * @throws ConfigError when the file cannot be opened.
 */
export function openLocalQuotas(
  file: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): LocalQuotas {
  const buckets = createTokenBuckets()
  const counts = openDayCounts(file, () => dayOf(clock()), logger)
  const timer = setInterval(() => {
    buckets.sweep()
    counts.flush()
  }, FLUSH_MS)
  timer.unref()
  return {
    take: async ({ digest, id, quota }, at) => {
      if (quota === undefined) return
      const { perSecond, perDay } = quota
      const day = dayOf(at)
      const isDayOver = perDay !== undefined && counts.count(digest, day) >= perDay
      // A call that the day refuses takes no token.
      const exhausted = isDayOver
        ? dayExhausted(at)
        : perSecond && buckets.take(digest, perSecond, at)
      if (exhausted) throw refusal({ digest, id }, quota, exhausted)
      if (perDay !== undefined) counts.add(digest, day)
    },
    get size() {
      return buckets.size + counts.size
    },
    [Symbol.dispose]: () => {
      clearInterval(timer)
      counts[Symbol.dispose]()
    },
  }
}
