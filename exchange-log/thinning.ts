import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { StampStore } from './stamp-store.ts'
import type { TreeStore } from './tree-store.ts'

/** Removes checkpoints that nobody needs any more: those with a time-stamp stay. */
export interface Thinning extends AsyncDisposable {
  thinNow(): Promise<void>
}

export interface ThinningOptions {
  readonly tree: Pick<TreeStore, 'head' | 'thin'>
  readonly stamps: Pick<StampStore, 'list'>
  readonly clock: Clock
  readonly logger: Logger
}

const INTERVAL_MS = 60_000
/** Witnesses, time-stamps and those who read the newest checkpoint are done with one by then. */
const KEPT_MS = 60 * 60_000
/** How far back the first look after a start goes. What a longer stop left behind stays. */
const FIRST_LOOK_MS = 48 * 60 * 60_000
const PAGE = 100

/** There are two checkpoints a second under load; without this they would outgrow the tree. */
export function startThinning({ tree, stamps, clock, logger }: ThinningOptions): Thinning {
  let from = new Date(clock().getTime() - FIRST_LOOK_MS)
  let headBefore: number | undefined
  let running: Promise<void> | undefined

  /** Each checkpoint is looked at once, when it is an hour old. */
  const thin = async (): Promise<void> => {
    const before = new Date(clock().getTime() - KEPT_MS)
    // A clock that was set back: what it makes from now on is looked at again.
    if (before < from) from = new Date(before.getTime() - FIRST_LOOK_MS)
    const head = await tree.head()
    const keep = await stampedSince(stamps, from)
    // A time-stamp over a head may be under way still, however old that is.
    if (headBefore !== undefined) keep.add(headBefore)
    await tree.thin(before, keep, from)
    from = before
    headBefore = head?.size
  }
  const run = (): Promise<void> => {
    running ??= thin()
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'old checkpoints of the exchange log are not removed')
      })
      .finally(() => {
        running = undefined
      })
    return running
  }
  const timer = setInterval(() => void run(), INTERVAL_MS)
  timer.unref()
  return {
    thinNow: run,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await running
    },
  }
}

/** Sizes with a time-stamp that was kept since. A stamp is younger than its checkpoint. */
async function stampedSince(stamps: ThinningOptions['stamps'], since: Date): Promise<Set<number>> {
  const sizes = new Set<number>()
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    const page = await stamps.list({ before, limit: PAGE })
    for (const { size, at } of page) if (at >= since) sizes.add(size)
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE || last.at < since) return sizes
    before = last.size
  }
}
