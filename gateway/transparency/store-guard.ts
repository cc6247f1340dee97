import { ExchangeError } from '../../protocol/errors.ts'
import { parseCheckpoint, type Checkpoint } from '../../protocol/checkpoint.ts'
import { growRange, rangeRoot, readCompactRange } from '../../protocol/compact-range.ts'
import { leafHash, treeRoot } from '../../protocol/merkle-tree.ts'
import { NoteError, verifyNote, type NoteVerifier } from '../../protocol/signed-note.ts'
import type { PolicyWitness } from '../../protocol/tlog-policy.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { WitnessFault, type WitnessClient } from './witness-client.ts'

/** The store is not the one that this log was in: a copy of an earlier time, most likely. */
export interface RolledBack {
  readonly at: Date
  /** In words: what is shown by whom, and what is here. */
  readonly detail: string
  /** The checkpoint that we signed and do not have; absent when it is our own tree that the records do not reach to. */
  readonly shown?: { readonly witness: string; readonly note: string }
}

/**
 * Keeps a store that was rolled back from being written to: what was recorded meanwhile would never be missed, and
 * the log would have two pasts.
 */
export interface StoreGuard {
  readonly rolledBack: RolledBack | undefined
  /** The store behind the guard: once it is known to be rolled back, nothing is added and nothing signed. */
  readonly records: ExchangeLogStore
  /** Compares the records with our own tree. */
  compareWithTree(): Promise<void>
  /**
   * Compares the store with what a witness cosigned. Only a checkpoint that our own key signed counts: a witness that
   * lies has none.
   *
   * @returns the size of the witness's tree, which ours continues; undefined when it has none, or ours does not.
   * @throws WitnessFault when it cannot be asked, or shows what we never signed.
   */
  compareWith(witness: PolicyWitness): Promise<number | undefined>
}

/** Records that are read at once. */
const BATCH = 16_384

export function createStoreGuard(deps: {
  readonly records: ExchangeLogStore
  readonly tree: TreeStore
  /** Of our log; its name is the origin. */
  readonly log: NoteVerifier
  readonly client: WitnessClient
  readonly clock: Clock
  readonly logger: Logger
}): StoreGuard {
  const { records, tree, log, client, clock, logger } = deps
  let rolledBack: RolledBack | undefined

  const declare = (found: Omit<RolledBack, 'at'>): void => {
    if (rolledBack !== undefined) return
    rolledBack = { ...found, at: clock() }
    logger.error(
      rolledBack,
      'the exchange log is behind what was witnessed of it: exchanges are refused (docs/witnesses.md)',
    )
  }
  const verify = (): void => {
    if (rolledBack !== undefined) throw new ExchangeError('log.behind-witnesses', rolledBack.detail)
  }
  return {
    get rolledBack() {
      return rolledBack
    },
    records: {
      ...records,
      append: async (record) => {
        verify()
        return await records.append(record)
      },
      // What is not read is not signed.
      commitments: async (position, limit) => {
        verify()
        return await records.commitments(position, limit)
      },
    },
    compareWithTree: async () => {
      const size = (await tree.head())?.size ?? 0
      const { last } = await records.extent()
      if (last >= size) return
      declare({ detail: `the tree of the log has ${size} records, and the store only ${last}` })
    },
    compareWith: async (witness) => {
      const note = await client.checkpoint(witness, log.name)
      if (note === undefined) return undefined
      const shown = readOwn(note, log, witness)
      if (await isContinued(shown, deps)) return shown.size
      const head = (await tree.head())?.size ?? 0
      const detail =
        `the witness ${witness.name} has a checkpoint of ${shown.size} records that this log signed, ` +
        `and the store has another past: ${head} records are in its tree`
      declare({ detail, shown: { witness: witness.name, note } })
      return undefined
    },
  }
}

/** @throws WitnessFault unless our own key signed it. */
function readOwn(note: string, log: NoteVerifier, { name, url }: PolicyWitness): Checkpoint {
  try {
    const checkpoint = parseCheckpoint(note)
    verifyNote(checkpoint.note, [log])
    if (checkpoint.origin === log.name) return checkpoint
    throw new NoteError('it is of another log')
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause
    const why = `shows a checkpoint that this log never signed (${cause.message})`
    throw new WitnessFault(`witness ${name} at ${url} ${why}`, { cause })
  }
}

/** Whether our records are those of a checkpoint, and perhaps more. */
async function isContinued(
  shown: Checkpoint,
  { records, tree }: { readonly records: ExchangeLogStore; readonly tree: TreeStore },
): Promise<boolean> {
  const size = (await tree.head())?.size ?? 0
  const read = tileReader(tree)
  if (shown.size <= size) return (await treeRoot(shown.size, read)).equals(shown.rootHash)
  // A tree that lags behind its records can be made again; what was signed of it comes out the same.
  let range = await readCompactRange(size, read)
  while (range.size < shown.size) {
    const limit = Math.min(BATCH, shown.size - range.size)
    const commitments = await records.commitments(range.size, limit)
    if (commitments.length === 0) return false
    range = growRange(range, commitments.map(leafHash))
  }
  return rangeRoot(range).equals(shown.rootHash)
}
