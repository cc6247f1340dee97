import { once } from 'node:events'
import { Redis, type RedisOptions } from 'ioredis'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Quotas } from '../ports.ts'
import {
  dayExhausted,
  dayOf,
  refusal,
  type CountedContract,
  type Exhausted,
  type Quota,
  type QuotaLeft,
  type QuotaPeek,
} from './exhausted.ts'
import { TAKE, TAKE_SHA } from './take-script.ts'
import { bucketExhausted, createTokenBuckets } from './token-buckets.ts'

export interface SharedQuotas extends Quotas, QuotaPeek, AsyncDisposable {
  /** Since when Redis is away; undefined while it answers. */
  readonly awaySince: Date | undefined
}

interface Options {
  readonly redis: RedisOptions
  /** How many replicas share the quotas. */
  readonly replicas: number
  readonly clock: Clock
  readonly logger: Logger
}

/** What a replica knows of a contract's day. */
interface Known {
  readonly day: number
  /** Calls that Redis had when it was last heard. */
  count: number
  /** Calls that passed while it was away, and that it has not been told. */
  untold: number
}

const ANSWER_MS = 500
/** After a failure Redis is left alone for so long: not every call waits for it. */
const PAUSE_MS = 1000
const SWEEP_MS = 10_000

/**
 * Quotas that all replicas share through Redis. While it is away each replica lets its share pass
 * (docs/decisions/0017-quotas.md), and tells Redis afterwards.
 */
export async function openSharedQuotas(options: Options): Promise<SharedQuotas> {
  const { replicas, clock, logger } = options
  const redis = new Redis({
    ...options.redis,
    replyMapping: 'legacy',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: ANSWER_MS,
    connectTimeout: 2000,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, PAUSE_MS),
  })
  let awaySince: Date | undefined
  let pausedUntil = 0
  const noteFailure = (error: unknown): void => {
    pausedUntil = performance.now() + PAUSE_MS
    if (awaySince !== undefined) return
    awaySince = clock()
    const why = error instanceof Error ? error.message : 'no answer'
    logger.warn({ why, replicas }, 'Redis is away: quotas are judged by the share of this replica')
  }
  redis.on('error', noteFailure)
  const known = new Map<string, Known>()
  const buckets = createTokenBuckets()
  const timer = setInterval(() => {
    buckets.sweep()
    const today = dayOf(clock())
    for (const [digest, { day }] of known) if (Math.abs(today - day) > 1) known.delete(digest)
  }, SWEEP_MS)
  timer.unref()

  const argumentsOf = (of: Known | undefined, quota: Quota, untold: number): string[] => {
    const limits = [quota.perSecond ?? 0, quota.perDay ?? 0]
    return [...limits, of?.day ?? -1, of?.count ?? 0, untold].map(String)
  }
  const ask = async (digest: string, quota: Quota): Promise<Exhausted | undefined> => {
    const of = known.get(digest)
    const untold = of?.untold ?? 0
    // Taken here, so that of two calls at one time only one tells.
    if (of) of.untold = 0
    try {
      const args = argumentsOf(of, quota, untold)
      const [clause, seconds, day, count] = readReply(await evaluate(redis, digest, args))
      if (quota.perDay !== undefined) note(known, digest, day, count)
      return clause === '' ? undefined : { clause, retryAfterSeconds: seconds }
    } catch (error) {
      if (of) of.untold += untold
      throw error
    }
  }
  const look = async (digest: string, quota: Quota): Promise<Exhausted | QuotaLeft> => {
    const of = known.get(digest)
    const args = [...argumentsOf(of, quota, of?.untold ?? 0), '1']
    const [clause, seconds, , count, there] = readReply(await evaluate(redis, digest, args))
    if (clause !== '') return { clause, retryAfterSeconds: seconds }
    return leftOf(quota, there, count)
  }
  /** Of this replica alone. */
  const judgeShare = (digest: string, quota: Quota, at: Date) => {
    const day = dayOf(at)
    const of = known.get(digest)
    const today = of?.day === day ? of : { day, count: 0, untold: 0 }
    const { perDay, perSecond } = quota
    const ofDay = perDay && Math.floor(Math.max(0, perDay - today.count) / replicas)
    const ofSecond = perSecond && Math.max(1, Math.floor(perSecond / replicas))
    const isDayOver = ofDay !== undefined && today.untold >= ofDay
    return { today, ofDay, ofSecond, exhausted: isDayOver ? dayExhausted(at) : undefined }
  }
  const takeShare = (digest: string, quota: Quota, at: Date): Exhausted | undefined => {
    const { today, ofSecond, exhausted: isDayOver } = judgeShare(digest, quota, at)
    const exhausted = isDayOver ?? (ofSecond && buckets.take(digest, ofSecond, at))
    if (exhausted) return exhausted
    today.untold += 1
    if (quota.perDay !== undefined) known.set(digest, today)
    return undefined
  }
  const lookAtShare = (digest: string, quota: Quota, at: Date): Exhausted | QuotaLeft => {
    const { today, ofDay, ofSecond = 0, exhausted } = judgeShare(digest, quota, at)
    const tokens = ofSecond && buckets.peek(digest, ofSecond, at)
    const isSecondOver = ofSecond ? bucketExhausted(tokens, ofSecond) : undefined
    const share = { ...quota, ...(ofDay === undefined ? {} : { perDay: ofDay }) }
    return exhausted ?? isSecondOver ?? leftOf(share, tokens, today.untold)
  }
  const shareNote = `, of which this replica has a part of ${replicas} while their count is out of reach`
  const peek = async (
    { digest, id, quota }: CountedContract,
    at: Date,
  ): Promise<QuotaLeft | undefined> => {
    if (quota === undefined) return undefined
    const isAway = awaySince !== undefined || performance.now() < pausedUntil
    const shared = isAway ? undefined : await look(digest, quota).catch(noteFailure)
    const seen = shared ?? lookAtShare(digest, quota, at)
    if (!('clause' in seen)) return seen
    throw refusal({ digest, id }, quota, seen, shared === undefined ? shareNote : '')
  }

  if (redis.status !== 'ready') {
    const signal = AbortSignal.timeout(2000)
    await once(redis, 'ready', { signal }).catch(noteFailure)
  }
  return {
    peek,
    take: async ({ digest, id, quota }, at) => {
      if (quota === undefined) return
      if (performance.now() >= pausedUntil) {
        let exhausted: Exhausted | undefined
        try {
          exhausted = await ask(digest, quota)
          if (awaySince !== undefined)
            logger.info({ awaySince }, 'Redis is back: quotas are shared')
          awaySince = undefined
        } catch (error) {
          noteFailure(error)
        }
        if (awaySince === undefined) {
          if (exhausted) throw refusal({ digest, id }, quota, exhausted)
          return
        }
      }
      const exhausted = takeShare(digest, quota, at)
      if (exhausted === undefined) return
      throw refusal({ digest, id }, quota, exhausted, shareNote)
    },
    get awaySince() {
      return awaySince
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      redis.disconnect()
    },
  }
}

/** A Redis that was started anew does not know the script. */
async function evaluate(redis: Redis, digest: string, args: readonly string[]): Promise<unknown> {
  const key = `spean:quota:{${digest}}`
  try {
    return await redis.evalsha(TAKE_SHA, 1, key, ...args)
  } catch (error) {
    const isUnknown = error instanceof Error && error.message.startsWith('NOSCRIPT')
    if (!isUnknown) throw error
    return await redis.eval(TAKE, 1, key, ...args)
  }
}

type Reply = [clause: keyof Quota | '', seconds: number, day: number, count: number, tokens: number]

/** @throws TypeError for what our script does not say: whatever answers there is not ours. */
function readReply(reply: unknown): Reply {
  const [clause, ...numbers] = Array.isArray(reply) ? (reply as unknown[]) : []
  const isClause = clause === '' || clause === 'perSecond' || clause === 'perDay'
  if (!isClause || numbers.length !== 4 || !numbers.every(Number.isSafeInteger)) {
    throw new TypeError('Redis gave no answer of the script')
  }
  return [clause, ...(numbers as [number, number, number, number])]
}

const leftOf = ({ perSecond, perDay }: Quota, tokens: number, count: number): QuotaLeft => ({
  ...(perSecond === undefined ? {} : { perSecond: Math.floor(tokens) }),
  ...(perDay === undefined ? {} : { perDay: Math.max(0, perDay - count) }),
})

function note(known: Map<string, Known>, digest: string, day: number, count: number): void {
  const of = known.get(digest)
  if (of?.day === day) of.count = Math.max(of.count, count)
  else known.set(digest, { day, count, untold: 0 })
}
