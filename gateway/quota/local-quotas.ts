import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Quotas } from '../ports.ts'
import { openDayCounts } from './day-counts.ts'
import { dayExhausted, dayOf, refusal, type QuotaPeek } from './exhausted.ts'
import { bucketExhausted, createTokenBuckets } from './token-buckets.ts'

/** How often counts are written, and what is idle is forgotten. */
const FLUSH_MS = 1000

export interface LocalQuotas extends Quotas, QuotaPeek, Disposable {
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
  const dayOver = (digest: string, perDay: number | undefined, at: Date) =>
    perDay !== undefined && counts.count(digest, dayOf(at)) >= perDay ? dayExhausted(at) : undefined
  return {
    peek: async ({ digest, id, quota }, at) => {
      if (quota === undefined) return undefined
      const { perSecond, perDay } = quota
      const tokens = perSecond && buckets.peek(digest, perSecond, at)
      const exhausted =
        dayOver(digest, perDay, at) ??
        (perSecond ? bucketExhausted(tokens ?? perSecond, perSecond) : undefined)
      if (exhausted) throw refusal({ digest, id }, quota, exhausted)
      return {
        ...(tokens === undefined ? {} : { perSecond: Math.floor(tokens) }),
        ...(perDay === undefined ? {} : { perDay: perDay - counts.count(digest, dayOf(at)) }),
      }
    },
    take: async ({ digest, id, quota }, at) => {
      if (quota === undefined) return
      const { perSecond, perDay } = quota
      // A call that the day refuses takes no token.
      const exhausted =
        dayOver(digest, perDay, at) ?? (perSecond && buckets.take(digest, perSecond, at))
      if (exhausted) throw refusal({ digest, id }, quota, exhausted)
      if (perDay !== undefined) counts.add(digest, dayOf(at))
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
