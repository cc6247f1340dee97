import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { StampStoreError, type LogStamp, type StampStore } from '../../exchange-log/stamp-store.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { TreeStoreError, type StoredCheckpoint } from '../../exchange-log/tree-store.ts'
import { toFault, type TimeStampFault } from './authority-list.ts'
import type { StampSource } from './stamp-source.ts'

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
  /** Whether exchanges are refused while the state is `over`. */
  readonly refuseAtLimit: boolean
  /** When they will be, or since when they are, should there be no token; undefined: nothing is refused. */
  readonly refusedFrom: Date | undefined
  /** `warning` from a third of the limit on, `over` from the limit on. */
  readonly state: 'ok' | 'warning' | 'over'
}

/** Has the exchange log stamped, beside the traffic: no exchange waits for it. */
export interface LogStamper extends AsyncDisposable {
  /** Looks at the log now; resolves when what was there is covered, or cannot be for now. */
  stampNow(): Promise<void>
  /**
   * Costs nothing.
   *
   * @throws ExchangeError `log.unstamped` naming age and limit, when the operator chose that exchanges are refused then.
   */
  verifyStamped(): void
  health(): TimeStampHealth
}

export interface LogStamperOptions {
  readonly gatewayId: string
  readonly log: Pick<ExchangeLogStore, 'after'>
  /** The checkpoint to stamp next: the newest one that is worth it; undefined while there is none. */
  readonly checkpoint: () => Promise<StoredCheckpoint | undefined>
  readonly stamps: StampStore
  readonly source: StampSource
  /** What the source asks with: closed with the stamper, so that a stop waits for no authority. */
  readonly client: AsyncDisposable
  readonly settings: {
    readonly intervalSeconds: number
    readonly limitMinutes: number
    readonly refuseAtLimit: boolean
  }
  readonly clock: Clock
  readonly logger: Logger
}

const MINUTE_MS = 60_000
/** No checkpoint is stamped when a record is older that is not in it: verifiers rely on that (protocol/README.md §12.5). */
const BEHIND_MS = 4 * MINUTE_MS

export function openLogStamper(options: LogStamperOptions): LogStamper {
  const { gatewayId, log, checkpoint, stamps, source, client, settings, clock, logger } = options
  let last: LogStamp | undefined
  let oldest: { position: number; at: Date; seenMs: number } | undefined
  let fault: TimeStampFault | undefined
  let known: TimeStampHealth['state'] = 'ok'
  let wasBehind = false
  let closed = false

  const stampCheckpoint = async ({ note, size }: StoredCheckpoint): Promise<boolean> => {
    const text = checkpointText(parseCheckpoint(note))
    const got = await source.obtain(createHash('sha256').update(text).digest())
    if (got === undefined) return false
    const { genTime, serial, token } = got.stamp
    const stamp = { size, token, genTime, serial, authority: got.authority.name, at: clock() }
    if (await stamps.add(stamp)) last = stamp
    logger.debug({ size, authority: stamp.authority }, 'a checkpoint is time-stamped')
    return true
  }

  const findOldest = async (): Promise<void> => {
    const [first] = await log.after(last?.size ?? 0, 1)
    if (first?.position === oldest?.position) return
    oldest = first && {
      position: first.position,
      at: first.recordedAt,
      seenMs: performance.now(),
    }
  }
  /** Whether the tree is so far behind the log that a token would say too much about what is not in it. */
  const isBehind = async ({ size }: StoredCheckpoint): Promise<boolean> => {
    const [beyond] = await log.after(size, 1)
    const isNow =
      beyond !== undefined && clock().getTime() - beyond.recordedAt.getTime() > BEHIND_MS
    if (isNow && wasBehind) {
      const since = beyond.recordedAt.toISOString()
      const detail = `gateway ${gatewayId}: records since ${since} are not in the tree of the log yet, which comes first`
      throw new ExchangeError('log.unavailable', detail)
    }
    wasBehind = isNow // at a start the tree may need a moment
    return isNow
  }
  const look = async (): Promise<void> => {
    last = await stamps.last()
    await findOldest()
    const next = await checkpoint()
    if (next !== undefined && next.size > (last?.size ?? 0)) {
      if (await isBehind(next)) return
      if (!(await stampCheckpoint(next))) return
      await findOldest()
    }
    fault = undefined
  }

  const limitMs = settings.limitMinutes * MINUTE_MS
  /** A clock that is set back makes nothing younger. */
  const unstampedMs = (): number =>
    oldest === undefined
      ? 0
      : Math.max(clock().getTime() - oldest.at.getTime(), performance.now() - oldest.seenMs)
  const refusedFrom = (): Date | undefined =>
    oldest && settings.refuseAtLimit ? new Date(oldest.at.getTime() + limitMs) : undefined
  const state = (): TimeStampHealth['state'] => {
    const ageMs = unstampedMs()
    return ageMs >= limitMs ? 'over' : ageMs >= limitMs / 3 ? 'warning' : 'ok'
  }
  const tellState = (): void => {
    const now = state()
    if (now === known) return
    known = now
    const { limitMinutes } = settings
    const from = refusedFrom()
    const line = {
      oldestUnstampedAt: oldest?.at,
      limitMinutes,
      ...(from === undefined ? {} : { refusedFrom: from }),
      ...fault,
    }
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
      const retryMs = fault === undefined ? intervalMs : (source.nextDueMs() ?? intervalMs)
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
    verifyStamped: () => {
      if (!settings.refuseAtLimit || oldest === undefined || state() !== 'over') return
      const why = fault === undefined ? '' : `: ${fault.detail}`
      throw new ExchangeError(
        'log.unstamped',
        `gateway ${gatewayId} has records without a time-stamp since ${oldest.at.toISOString()}, for ${Math.floor(unstampedMs() / MINUTE_MS)} minutes, and ${settings.limitMinutes} is the limit${why}`,
      )
    },
    health: () => ({
      oldestUnstampedAt: oldest?.at,
      lastStampAt: last?.genTime,
      lastTsa: last?.authority,
      authorities: source.health(),
      fault,
      limitMinutes: settings.limitMinutes,
      refuseAtLimit: settings.refuseAtLimit,
      refusedFrom: refusedFrom(),
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
