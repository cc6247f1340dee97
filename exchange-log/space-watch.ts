import { statfs } from 'node:fs/promises'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { LogStoreError, type ExchangeLogStore } from './store.ts'

/** How much room the log has. */
export interface LogSpace {
  readonly state: 'ok' | 'warning' | 'critical'
  /** Why the state is not ok; one sentence. */
  readonly reason?: string
  /** What the log takes, and may take. */
  readonly bytes: number
  readonly maxBytes: number
  /** Free on the disk that it is on; undefined when that is another machine's. */
  readonly freeBytes?: number
  /** At the rate of the last day, as far as it is known; undefined while it does not grow. */
  readonly bytesPerDay?: number
  /** Until the log takes no more records, at that rate. */
  readonly daysLeft?: number
}
/** Looks at the room that the log has, now and then, long before it ends. */
export interface SpaceWatch extends AsyncDisposable {
  lookNow(): Promise<void>
  /** As of the last look; undefined before the first. */
  health(): LogSpace | undefined
}

export interface SpaceWatchOptions {
  readonly records: Pick<ExchangeLogStore, 'extent'>
  /** Where the log is on this machine; undefined for a database server. */
  readonly folder: string | undefined
  readonly maxBytes: number
  readonly warnFreeBytes: number
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs?: number
}

const INTERVAL_MS = 60_000
const DAY_MS = 86_400_000
/** Growth over less than this says nothing about a day. */
const SHORTEST_MS = 600_000
const WARN_SHARE = 0.8
const CRITICAL_SHARE = 0.95
const WARN_DAYS = 14
/** Part of `warnFreeBytes` below which it is critical. */
const CRITICAL_FREE = 0.2

interface Sample {
  readonly ms: number
  readonly bytes: number
}

export function startSpaceWatch(options: SpaceWatchOptions): SpaceWatch {
  const { records, folder, clock, logger, intervalMs = INTERVAL_MS } = options
  let samples: Sample[] = []
  let known: LogSpace | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const look = async (): Promise<void> => {
    const { bytes } = await records.extent()
    const ms = clock().getTime()
    // What was archived or erased says nothing about growth.
    if (bytes < (samples.at(-1)?.bytes ?? 0)) samples = []
    samples = [...samples.filter((sample) => ms - sample.ms < DAY_MS), { ms, bytes }]
    const disk = folder === undefined ? undefined : await statfs(folder)
    const freeBytes = disk && disk.bavail * disk.bsize
    const now = judge(options, { bytes, freeBytes, bytesPerDay: growthOf(samples) })
    const before = known?.state ?? 'ok'
    known = now
    if (now.state === before) return
    if (now.state === 'ok') logger.info(now, 'the exchange log has room again')
    else
      logger[now.state === 'critical' ? 'error' : 'warn'](now, 'the exchange log runs out of room')
  }
  const round = async (): Promise<void> => {
    try {
      await look()
    } catch (error) {
      if (closed || error instanceof LogStoreError) return // told where records are written
      logger.warn({ err: error }, 'the room of the exchange log cannot be looked at')
    }
  }
  const run = (): Promise<void> => {
    clearTimeout(timer)
    running ??= round().finally(() => {
      running = undefined
      if (!closed) timer = setTimeout(() => void run(), intervalMs).unref()
    })
    return running
  }
  void run()
  return {
    lookNow: async () => {
      await running
      await run()
    },
    health: () => known,
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}

/** Bytes a day, from the oldest sample that is known to the newest. */
function growthOf(samples: readonly Sample[]): number | undefined {
  const [first] = samples
  const last = samples.at(-1)
  if (first === undefined || last === undefined || last.ms - first.ms < SHORTEST_MS) {
    return undefined
  }
  const grown = last.bytes - first.bytes
  return grown > 0 ? Math.round((grown / (last.ms - first.ms)) * DAY_MS) : undefined
}

function judge(
  { maxBytes, warnFreeBytes }: SpaceWatchOptions,
  measured: { bytes: number; freeBytes: number | undefined; bytesPerDay: number | undefined },
): LogSpace {
  const { bytes, freeBytes, bytesPerDay } = measured
  const left = Math.max(0, Math.min(maxBytes - bytes, freeBytes ?? Infinity))
  const daysLeft = bytesPerDay && Math.round((left / bytesPerDay) * 10) / 10
  const share = bytes / maxBytes
  const used = `the log takes ${Math.round(share * 100)} % of exchangeLog.maxBytes`
  const free = `${freeBytes} bytes are free on its disk`
  const faults: [state: LogSpace['state'], is: boolean, reason: string][] = [
    ['critical', share >= CRITICAL_SHARE, used],
    ['critical', (freeBytes ?? Infinity) < warnFreeBytes * CRITICAL_FREE, free],
    ['warning', share >= WARN_SHARE, used],
    ['warning', (freeBytes ?? Infinity) < warnFreeBytes, free],
    [
      'warning',
      (daysLeft ?? Infinity) < WARN_DAYS,
      `at the present rate it is full in ${daysLeft} days`,
    ],
  ]
  const [state, , reason] = faults.find(([, is]) => is) ?? ['ok' as const]
  return {
    state,
    ...(reason === undefined ? {} : { reason }),
    ...{ bytes, maxBytes },
    ...(freeBytes === undefined ? {} : { freeBytes }),
    ...(bytesPerDay === undefined ? {} : { bytesPerDay }),
    ...(daysLeft === undefined ? {} : { daysLeft }),
  }
}
