import type { Logger } from '../../runtime/logger.ts'
import { ArchiveError, type ArchiveFault } from './archive-errors.ts'
import type { ArchiveEvent } from './archive-event.ts'
import { archiveNext, type ArchiverOptions, type ArchiveUpTo } from './archiver.ts'

/** Archives beside the traffic: months that ended long enough ago by themselves, the rest when it is told to. */
export interface ArchiveSchedule extends AsyncDisposable {
  /** @returns false when it is at work already. */
  begin(upTo: ArchiveUpTo, actor: string): boolean
  health(): ArchiveHealth
}
export interface ArchiveHealth {
  readonly place: string
  readonly isRunning: boolean
  readonly lastRunAt?: Date
  /** The newest that was made since the start. */
  readonly last?: ArchiveEvent
  /** Why the last run ended before its time; what was not archived is in the log still. */
  readonly fault?: string
  readonly faultCode?: ArchiveFault
}

const INTERVAL_MS = 3_600_000

export function startArchiveSchedule(options: {
  readonly archiver: Omit<ArchiverOptions, 'signal'>
  /** Undefined: only when it is told to. */
  readonly afterDays: number | undefined
  readonly logger: Logger
}): ArchiveSchedule {
  const { archiver, afterDays, logger } = options
  const closing = new AbortController()
  const { signal } = closing
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let state: Omit<ArchiveHealth, 'place' | 'isRunning'> = {}

  const round = async (upTo: ArchiveUpTo, actor: string): Promise<void> => {
    try {
      for (;;) {
        const event = await archiveNext({ ...archiver, signal }, upTo, actor)
        if (event === undefined) break
        state = { ...state, last: event }
        logger.info(event, 'records were archived')
      }
      const { fault: _, faultCode: __, ...rest } = state
      state = { ...rest, lastRunAt: archiver.clock() }
    } catch (error) {
      if (signal.aborted) return
      const fault = error instanceof Error ? error.message : String(error)
      if (fault !== state.fault) logger.error({ err: error }, 'the exchange log is not archived')
      const code = error instanceof ArchiveError ? { faultCode: error.code } : {}
      const { faultCode: _, ...rest } = state
      state = { ...rest, ...code, fault, lastRunAt: archiver.clock() }
    }
  }
  const run = (upTo: ArchiveUpTo, actor: string): void => {
    clearTimeout(timer)
    running = round(upTo, actor).finally(() => {
      running = undefined
      if (signal.aborted || afterDays === undefined) return
      const next = (): void => run({ endedDaysAgo: afterDays }, 'schedule')
      timer = setTimeout(next, INTERVAL_MS).unref()
    })
  }
  if (afterDays !== undefined) run({ endedDaysAgo: afterDays }, 'schedule')
  return {
    begin: (upTo, actor) => {
      if (running !== undefined) return false
      run(upTo, actor)
      return true
    },
    health: () => ({ place: archiver.place.name, isRunning: running !== undefined, ...state }),
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}
