import type { Exhausted } from './exhausted.ts'

export interface TokenBuckets {
  /** @returns how it was used up; undefined when a token was taken. */
  take(digest: string, perSecond: number, at: Date): Exhausted | undefined
  /** Tokens that are there, without taking one; at least 1 lets a call pass. */
  peek(digest: string, perSecond: number, at: Date): number
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
  const peek = (digest: string, perSecond: number, at: Date): number => {
    const bucket = buckets.get(digest)
    if (bucket === undefined) return perSecond
    const filled = (Math.max(0, at.getTime() - bucket.at) * perSecond) / 1000
    return Math.min(perSecond, bucket.tokens + filled)
  }
  return {
    peek,
    take: (digest, perSecond, at) => {
      const tokens = peek(digest, perSecond, at)
      const exhausted = bucketExhausted(tokens, perSecond)
      const left = exhausted ? tokens : tokens - 1
      buckets.set(digest, { tokens: left, at: at.getTime(), touchedAt: performance.now() })
      return exhausted
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

/** @returns how long until there is a token; undefined when there is one. */
export function bucketExhausted(tokens: number, perSecond: number): Exhausted | undefined {
  if (tokens >= 1) return undefined
  const retryAfterSeconds = Math.max(1, Math.ceil((1 - tokens) / perSecond))
  return { clause: 'perSecond', retryAfterSeconds }
}
