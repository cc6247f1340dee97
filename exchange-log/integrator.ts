import type { Logger } from '../runtime/logger.ts'
import { checkHead, growTree, type GrowthDeps, type KnownTree } from './tree-growth.ts'
import type { StoredCheckpoint } from './tree-store.ts'

export type { LogKey } from './tree-growth.ts'

export interface TreeHealth {
  /** Records in the newest checkpoint; undefined while none was read. */
  readonly size: number | undefined
  /** Of the newest checkpoint. */
  readonly checkpointAt: Date | undefined
  /** When the oldest record was made that waits for a checkpoint, as of the last look at the log. */
  readonly oldestWaitingAt: Date | undefined
  /** Why records are not brought into the tree; undefined when they are. */
  readonly fault: string | undefined
}

/**
 * Brings records into the tree, beside the traffic: no exchange waits for it. Several processes may do so at once,
 * and each may end at any moment. What it signs continues what was signed before, or it signs nothing.
 */
export interface Integrator extends AsyncDisposable {
  /** Looks at the log now; resolves when what was there is in a checkpoint, or cannot be for now. */
  integrateNow(): Promise<void>
  health(): TreeHealth
}

export interface IntegratorOptions extends GrowthDeps {
  readonly logger: Logger
  /** Told of each new checkpoint. */
  readonly onCheckpoint?: (checkpoint: StoredCheckpoint) => void
  /** While it says so, nothing is signed: whether the records are those of this log is being found out. */
  readonly isHeld?: () => boolean
  /** From one look at the log to the next: with it a record is in a checkpoint within a second, also under load. */
  readonly intervalMs?: number
}

const INTERVAL_MS = 400
/** Between a look that took long and the next: others have work to do, too. */
const SHORTEST_MS = 50
/** Leaves of one step: memory stays bounded however long the integrator was away. */
const BATCH = 16_384

export function startIntegrator(options: IntegratorOptions): Integrator {
  const { records, logger, onCheckpoint, isHeld, intervalMs = INTERVAL_MS } = options
  let known: KnownTree | undefined
  let head: StoredCheckpoint | undefined
  let oldestWaitingAt: Date | undefined
  let fault: string | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  /** One step. @returns whether there may be more. */
  const step = async (): Promise<boolean> => {
    known = await checkHead(options, known, head)
    head = known.head
    if (isHeld?.() === true) return false
    const before = known.range.size
    const grown = await growTree(options, known, BATCH)
    if (grown === undefined) return false
    known = grown
    head = grown.head
    if (head !== undefined) onCheckpoint?.(head)
    return grown.range.size - before === BATCH
  }
  const round = async (): Promise<void> => {
    try {
      for (let isMore = true; isMore && !closed;) isMore = await step()
      if (fault !== undefined) logger.info('the tree of the exchange log grows again')
      fault = undefined
      oldestWaitingAt = undefined
    } catch (error) {
      known = undefined // checked anew before anything is signed
      if (closed) return
      const text = String(error)
      if (text !== fault) logger.error({ err: error }, 'the tree of the exchange log does not grow')
      fault = text
      oldestWaitingAt = await oldestAfter(head?.size ?? 0).catch(() => oldestWaitingAt)
    }
  }
  const oldestAfter = async (size: number): Promise<Date | undefined> =>
    (await records.after(size, 1))[0]?.recordedAt
  const run = (): Promise<void> => {
    if (closed) return Promise.resolve()
    clearTimeout(timer)
    const begun = performance.now()
    running ??= round().finally(() => {
      running = undefined
      if (closed) return
      const restMs = Math.max(SHORTEST_MS, intervalMs - (performance.now() - begun))
      timer = setTimeout(() => void run(), restMs)
    })
    return running
  }
  void run()
  return {
    integrateNow: async () => {
      await running
      await run()
    },
    health: () => ({
      size: head?.size,
      checkpointAt: head?.at,
      oldestWaitingAt,
      fault,
    }),
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}
