import type { StoredCheckpoint, TreeStore } from '../../exchange-log/tree-store.ts'
import type { Clock } from '../../runtime/clock.ts'

/** How long a checkpoint that is not witnessed yet is kept back: with it a record is served within a second still. */
const WITNESSES_MS = 300

/**
 * The checkpoint to show to the world: the newest with enough cosignatures, so that who fetches it can rely on it;
 * the newest of all once witnesses take longer. Never one of a smaller tree than before.
 *
 * @returns a function that throws TreeStoreError.
 */
export function createServedCheckpoint(
  tree: Pick<TreeStore, 'head' | 'witnessedHead' | 'covering'>,
  clock: Clock,
): () => Promise<StoredCheckpoint | undefined> {
  let largest = 0
  const choose = async (): Promise<StoredCheckpoint | undefined> => {
    const witnessed = await tree.witnessedHead()
    if (witnessed === undefined || witnessed.size < largest) return tree.head()
    const waiting = await tree.covering(witnessed.size + 1)
    if (waiting === undefined) return witnessed
    const waitingMs = Math.abs(clock().getTime() - waiting.at.getTime())
    return waitingMs <= WITNESSES_MS ? witnessed : tree.head()
  }
  return async () => {
    const chosen = await choose()
    // Two requests may overtake each other while they read.
    const served = (chosen?.size ?? 0) < largest ? await tree.head() : chosen
    largest = Math.max(largest, served?.size ?? 0)
    return served
  }
}
