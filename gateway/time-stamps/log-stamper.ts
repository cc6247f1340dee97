import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { TimeStamp } from '../../pki/tsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { TimeStampingAuthorityEntry } from '../catalogue-view.ts'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { StampStoreError, type LogStamp, type StampStore } from '../../exchange-log/stamp-store.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { TreeStoreError, type StoredCheckpoint } from '../../exchange-log/tree-store.ts'
import { createAuthorityList, toFault, type TimeStampFault } from './authority-list.ts'
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
  readonly log: Pick<ExchangeLogStore, 'after'>
  /** The checkpoint to stamp next: the newest one that is worth it; undefined while there is none. */
  readonly checkpoint: () => Promise<StoredCheckpoint | undefined>
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

const BACK_OFF_MS = 5000
const MINUTE_MS = 60_000

export function openLogStamper(options: LogStamperOptions): LogStamper {
  const { gatewayId, log, checkpoint, stamps, client, settings, clock, logger } = options
  const authorities = createAuthorityList({
    gatewayId,
    approved: options.approved,
    names: settings.authorities,
    clock,
    backOffMs: options.backOffMs ?? BACK_OFF_MS,
  })
  let last: LogStamp | undefined
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

  const stampCheckpoint = async ({ note, size }: StoredCheckpoint): Promise<boolean> => {
    const text = checkpointText(parseCheckpoint(note))
    const got = await obtain(createHash('sha256').update(text).digest())
    if (got === undefined) return false
    const { genTime, serial, token } = got.stamp
    const stamp = { size, token, genTime, serial, authority: got.authority.name, at: clock() }
    if (await stamps.add(stamp)) last = stamp
    logger.debug({ size, authority: stamp.authority }, 'a checkpoint is time-stamped')
    return true
  }

  const look = async (): Promise<void> => {
    last = await stamps.last()
    const [oldest] = await log.after(last?.size ?? 0, 1)
    oldestUnstampedAt = oldest?.recordedAt
    const next = await checkpoint()
    if (next !== undefined && next.size > (last?.size ?? 0)) {
      if (!(await stampCheckpoint(next))) return
      const [left] = await log.after(next.size, 1)
      oldestUnstampedAt = left?.recordedAt
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
  const isStore = [LogStoreError, StampStoreError, TreeStoreError].some(
    (kind) => error instanceof kind,
  )
  if (isStore) return new ExchangeError('log.unavailable', String(error), { cause: error })
  return new ExchangeError('internal', 'time-stamping failed inside', { cause: error })
}
