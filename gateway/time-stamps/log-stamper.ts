import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { TimeStamp } from '../../pki/tsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { TimeStampingAuthorityEntry } from '../catalogue-view.ts'
import { LogStoreError } from '../exchange-log/store.ts'
import { createAuthorityList, toFault, type TimeStampFault } from './authority-list.ts'
import { StampStoreError, type StampStore } from './stamp-store.ts'
import { readBatch, stampedBytes, type Batch, type LogReader } from './stamped-bytes.ts'
import type { TimeStampClient } from './time-stamp-client.ts'

export interface TimeStampHealth {
  /** When the oldest record was made that no token covers, as of the last look at the log. */
  readonly oldestUnstampedAt: Date | undefined
  readonly lastStampAt: Date | undefined
  /** Name of the authority that gave the last one. */
  readonly lastTsa: string | undefined
  readonly authorities: readonly {
    readonly name: string
    readonly url: string
    readonly fault?: TimeStampFault
  }[]
  /** Why records are not covered; undefined when they are. */
  readonly fault: TimeStampFault | undefined
  readonly limitMinutes: number
  /** `warning` from a third of the limit on, `over` from the limit on; traffic is not touched. */
  readonly state: 'ok' | 'warning' | 'over'
}

/** Has the exchange log stamped, beside the traffic: no exchange waits for it. */
export interface LogStamper extends AsyncDisposable {
  /** Looks at the log now; resolves when what was there is covered, or cannot be for now. */
  stampNow(): Promise<void>
  health(): TimeStampHealth
}

export interface LogStamperOptions {
  readonly gatewayId: string
  readonly log: LogReader
  readonly stamps: StampStore
  /** Closed with the stamper, so that a stop waits for no authority. */
  readonly client: TimeStampClient
  /** Of the newest snapshot; undefined while there is none. */
  readonly approved: () => readonly TimeStampingAuthorityEntry[] | undefined
  readonly settings: {
    readonly intervalSeconds: number
    readonly limitMinutes: number
    readonly authorities: readonly string[]
  }
  readonly clock: Clock
  readonly logger: Logger
  /** How long an authority is left alone after its first failure. */
  readonly backOffMs?: number
}

/** Records of one token: an outage of days is caught up with in a few of them. */
const MOST_RECORDS = 10_000
const BACK_OFF_MS = 5000
const MINUTE_MS = 60_000

export function openLogStamper(options: LogStamperOptions): LogStamper {
  const { gatewayId, log, stamps, client, settings, clock, logger } = options
  const authorities = createAuthorityList({
    gatewayId,
    approved: options.approved,
    names: settings.authorities,
    clock,
    backOffMs: options.backOffMs ?? BACK_OFF_MS,
  })
  let last = stamps.last()
  let oldestUnstampedAt: Date | undefined
  let fault: TimeStampFault | undefined
  let known: TimeStampHealth['state'] = 'ok'
  let closed = false

  /** A token of the first authority that gives one; undefined when all are left alone for now. */
  const obtain = async (
    digest: Buffer,
  ): Promise<{ authority: TimeStampingAuthorityEntry; stamp: TimeStamp } | undefined> => {
    const errors: ExchangeError[] = []
    for (const authority of authorities.due()) {
      try {
        const stamp = await client.stamp(authority, digest)
        authorities.succeeded(authority)
        return { authority, stamp }
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error
        authorities.failed(authority, error)
        errors.push(error)
      }
    }
    const [first] = errors
    if (first === undefined) return undefined
    const details = errors.map(({ message }) => message).join('; ')
    throw new ExchangeError(first.code, `gateway ${gatewayId}: ${details}`, { cause: first })
  }

  const stampBatch = async ({ first, last: end, lines }: Batch): Promise<boolean> => {
    const range = { gatewayId, first, last: end, previous: last?.token }
    const digest = createHash('sha256').update(stampedBytes(range, lines)).digest()
    const got = await obtain(digest)
    if (got === undefined) return false
    const { genTime, serial, token } = got.stamp
    const stamp = { first, last: end, token, genTime, serial, authority: got.authority.name }
    const kept = { ...stamp, at: clock() }
    stamps.add(kept)
    last = kept
    logger.debug({ first, last: end, authority: stamp.authority }, 'records are time-stamped')
    return true
  }

  const look = async (): Promise<void> => {
    for (let isFull = true; isFull;) {
      const batch = await readBatch(log, last?.last ?? 0, MOST_RECORDS)
      oldestUnstampedAt = batch?.oldestAt
      if (batch === undefined) break
      if (!(await stampBatch(batch))) return
      oldestUnstampedAt = undefined
      isFull = batch.lines.length === MOST_RECORDS
    }
    fault = undefined
  }

  const state = (): TimeStampHealth['state'] => {
    if (oldestUnstampedAt === undefined) return 'ok'
    const ageMs = clock().getTime() - oldestUnstampedAt.getTime()
    const limitMs = settings.limitMinutes * MINUTE_MS
    return ageMs >= limitMs ? 'over' : ageMs >= limitMs / 3 ? 'warning' : 'ok'
  }
  const tellState = (): void => {
    const now = state()
    if (now === known) return
    known = now
    const line = { oldestUnstampedAt, limitMinutes: settings.limitMinutes, ...fault }
    if (now === 'ok') logger.info(line, 'the exchange log is time-stamped again')
    else logger[now === 'over' ? 'error' : 'warn'](line, 'records wait for a time-stamp')
  }

  const round = async (): Promise<void> => {
    try {
      await look()
    } catch (error) {
      if (closed) return
      const told = toldOf(error)
      if (told.code !== fault?.code || told.message !== fault.detail) {
        logger.warn({ code: told.code, err: error }, 'the exchange log is not time-stamped')
      }
      fault = toFault(told, clock())
    }
    tellState()
  }

  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  const run = (): Promise<void> => {
    if (closed) return Promise.resolve()
    clearTimeout(timer)
    running ??= round().finally(() => {
      running = undefined
      if (closed) return
      const intervalMs = settings.intervalSeconds * 1000
      const retryMs = fault === undefined ? intervalMs : (authorities.nextDueMs() ?? intervalMs)
      timer = setTimeout(() => void run(), Math.min(intervalMs, retryMs))
    })
    return running
  }
  void run()

  return {
    stampNow: async () => {
      await running
      await run()
    },
    health: () => ({
      oldestUnstampedAt,
      lastStampAt: last?.genTime,
      lastTsa: last?.authority,
      authorities: authorities.health(),
      fault,
      limitMinutes: settings.limitMinutes,
      state: state(),
    }),
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await client[Symbol.asyncDispose]()
      await running
    },
  }
}

/** A bug has no text for strangers, and stops nothing else: it is tried again as everything is. */
function toldOf(error: unknown): ExchangeError {
  if (error instanceof ExchangeError) return error
  const isStore = error instanceof LogStoreError || error instanceof StampStoreError
  if (isStore) return new ExchangeError('log.unavailable', error.message, { cause: error })
  return new ExchangeError('internal', 'time-stamping failed inside', { cause: error })
}
