import type { Exhausted } from './exhausted.ts'

export interface TokenBuckets {
  /** @returns how it was used up; undefined when a token was taken. */
  take(digest: string, perSecond: number, at: Date): Exhausted | undefined
  /** Forgets what is full again. */
  sweep(): void
  readonly size: number
}

interface Bucket {
  tokens: number
  at: number
  /** By the monotonic clock. */
  touchedAt: number
}

/** A bucket is full after a second without calls. */
const IDLE_MS = 1000

/**
 * One bucket for each contract: it holds as many tokens as there are calls in a second, and fills evenly. A clock
 * that is set back fills nothing, and holds nobody up either.
 */
export function createTokenBuckets(): TokenBuckets {
  const buckets = new Map<string, Bucket>()
  return {
    take: (digest, perSecond, at) => {
      const now = at.getTime()
      const bucket = buckets.get(digest) ?? { tokens: perSecond, at: now, touchedAt: 0 }
      const filled = (Math.max(0, now - bucket.at) * perSecond) / 1000
      bucket.tokens = Math.min(perSecond, bucket.tokens + filled)
      bucket.at = now
      bucket.touchedAt = performance.now()
      buckets.set(digest, bucket)
      if (bucket.tokens < 1) {
        const retryAfterSeconds = Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond))
        return { clause: 'perSecond', retryAfterSeconds }
      }
      bucket.tokens -= 1
      return undefined
    },
    sweep: () => {
      const before = performance.now() - IDLE_MS
      for (const [digest, { touchedAt }] of buckets) {
        if (touchedAt < before) buckets.delete(digest)
      }
    },
    get size() {
      return buckets.size
    },
  }
}
