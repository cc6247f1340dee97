import type { StoredCheckpoint, TreeStore } from '../../exchange-log/tree-store.ts'
import type { Clock } from '../../runtime/clock.ts'

/** How long a checkpoint that is not witnessed yet is waited for. */
const WITNESSES_MS = 30_000

/**
 * The checkpoint to stamp next: the newest with enough cosignatures, so that evidence has them and the time-stamp
 * on one checkpoint; but the newest of all when witnesses are more than half a minute behind, or there never were enough.
 *
 * @throws TreeStoreError
 */
export async function nextCheckpoint(
  tree: Pick<TreeStore, 'head' | 'witnessedHead' | 'covering'>,
  clock: Clock,
): Promise<StoredCheckpoint | undefined> {
  const witnessed = await tree.witnessedHead()
  if (witnessed === undefined) return tree.head()
  const waiting = await tree.covering(witnessed.size + 1)
  if (waiting === undefined) return witnessed
  const behindMs = Math.abs(clock().getTime() - waiting.at.getTime())
  return behindMs <= WITNESSES_MS ? witnessed : tree.head()
}
