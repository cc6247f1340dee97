import { setTimeout as delay } from 'node:timers/promises'
import type { Contracts } from '../ports.ts'
import type { ContractFeed } from './feed.ts'
import type { ContractStore } from './store.ts'

/** A call waits for the catalogue no longer than this. */
const WAIT_MS = 2000
/** A digest costs one question in so long, whoever names it how often. */
const INTERVAL_MS = 5000
/** Beyond so many digests in an interval nobody is asked: somebody makes them up. */
const MAX_LOOKED_FOR = 1000

/**
 * Looks for contracts that are named and not held yet (protocol/README.md §13.5): the client's gateway may have handed
 * in the second signature a moment before it makes the first call.
 */
export function createLookFor(deps: {
  readonly store: Pick<ContractStore, 'byDigest'>
  readonly feed: Pick<ContractFeed, 'catchUp'>
  /** Milliseconds, by the monotonic clock. */
  readonly now?: () => number
}): Contracts['lookFor'] {
  const { store, feed, now = () => performance.now() } = deps
  // In the order in which they were asked for
  const looked = new Map<string, { readonly at: number; readonly answer: Promise<void> }>()
  const forgetOld = (): void => {
    for (const [digest, { at }] of looked) {
      if (now() - at < INTERVAL_MS) return
      looked.delete(digest)
    }
  }
  return async (digest) => {
    if (store.byDigest(digest)?.isAgreed) return
    forgetOld()
    const known = looked.get(digest)
    if (known === undefined && looked.size >= MAX_LOOKED_FOR) return
    const answer =
      known?.answer ?? Promise.race([feed.catchUp(), delay(WAIT_MS, undefined, { ref: false })])
    if (known === undefined) looked.set(digest, { at: now(), answer })
    await answer
  }
}
