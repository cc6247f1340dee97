/** How a log's tree grows by one step, and what must hold before it is signed. */
import type { KeyObject } from 'node:crypto'
import { checkpointText, parseCheckpoint } from '../protocol/checkpoint.ts'
import {
  EMPTY_RANGE,
  growRange,
  rangeRoot,
  readCompactRange,
  type CompactRange,
} from '../protocol/compact-range.ts'
import {
  HASH_BYTES,
  leafHash,
  MerkleError,
  TILE_WIDTH,
  tileRoot,
  treeRoot,
} from '../protocol/merkle-tree.ts'
import {
  formatNote,
  NoteError,
  signNote,
  verifyNote,
  type NoteVerifier,
} from '../protocol/signed-note.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ExchangeLogStore } from './store.ts'
import { tileReader } from './tree-reader.ts'
import type { StoredCheckpoint, TileWrite, TreeStore } from './tree-store.ts'

/** The key that signs a log's checkpoints; the verifier's name is the log's origin. */
export interface LogKey {
  readonly verifier: NoteVerifier
  readonly privateKey: KeyObject
}

/** Records, tiles, checkpoints and key do not belong together: nothing is signed while that is so. */
export class TreeMismatchError extends Error {
  override readonly name = 'TreeMismatchError'
}

/** A head that was checked, with what lets the tree grow from it. */
export interface KnownTree {
  /** Undefined before the first checkpoint. */
  readonly head: StoredCheckpoint | undefined
  readonly range: CompactRange
}

export interface GrowthDeps {
  readonly records: Pick<ExchangeLogStore, 'commitments' | 'after' | 'extent'>
  readonly tree: TreeStore
  readonly key: LogKey
  readonly clock: Clock
}

/**
 * Checks the newest checkpoint: signed by our key, the root of the tiles, a continuation of the one seen before, and
 * not ahead of the records. Reads a few tiles, whatever the size.
 *
 * @param known what was checked last; another process may have advanced the tree since.
 * @param seen the newest checkpoint that this process ever saw.
 * @throws TreeMismatchError
 */
export async function checkHead(
  deps: GrowthDeps,
  known: KnownTree | undefined,
  seen: StoredCheckpoint | undefined,
): Promise<KnownTree> {
  const head = await deps.tree.head()
  if (known !== undefined && isSame(head, known.head)) return known
  if (head === undefined) {
    if (seen === undefined) return { head, range: EMPTY_RANGE }
    throw new TreeMismatchError(`the tree lost its checkpoints: there was one of ${seen.size}`)
  }
  verifySignature(head, deps.key)
  const read = tileReader(deps.tree)
  const { size } = head
  const range = await asMismatch(() => readCompactRange(size, read))
  if (!rangeRoot(range).equals(head.rootHash)) {
    throw new TreeMismatchError(`the tiles do not lead to the root of the checkpoint of ${size}`)
  }
  if (seen !== undefined) {
    if (seen.size > size) {
      throw new TreeMismatchError(`the tree shrank from ${seen.size} to ${size}`)
    }
    const root = await asMismatch(() => treeRoot(seen.size, read))
    if (!root.equals(seen.rootHash)) {
      throw new TreeMismatchError(
        `the checkpoint of ${size} does not continue that of ${seen.size}`,
      )
    }
  }
  await checkLastRecord(deps, head)
  return { head, range }
}

/**
 * Brings the next records into the tree, at most `limit` of them.
 *
 * @returns undefined when there are none, or when another process was first.
 * @throws TreeMismatchError
 */
export async function growTree(
  deps: GrowthDeps,
  known: KnownTree,
  limit: number,
): Promise<KnownTree | undefined> {
  const { records, tree, key, clock } = deps
  const from = known.range.size
  const commitments = await records.commitments(from, limit)
  if (commitments.length === 0) return undefined
  await checkPositions(records, from, commitments)
  const leaves = commitments.map(leafHash)
  // The range was checked against the checkpoint before: what is signed continues it, whatever the tiles say.
  const range = growRange(known.range, leaves)
  const { size } = range
  const rootHash = rangeRoot(range)
  const { tiles, read } = await growTiles(tree, from, leaves)
  if (!(await asMismatch(() => treeRoot(size, read))).equals(rootHash)) {
    throw new TreeMismatchError(`the tiles changed under the checkpoint of ${from}`)
  }
  const text = checkpointText({ origin: key.verifier.name, size, rootHash })
  const note = formatNote(text, [signNote(text, key.verifier, key.privateKey)])
  const head = { size, rootHash, note, at: clock(), cosignatures: [] }
  return (await tree.advance(from, tiles, head)) ? { head, range } : undefined
}

function isSame(head: StoredCheckpoint | undefined, known: StoredCheckpoint | undefined): boolean {
  return head === undefined || known === undefined
    ? head === known
    : head.size === known.size && head.rootHash.equals(known.rootHash)
}

function verifySignature({ size, rootHash, note }: StoredCheckpoint, { verifier }: LogKey): void {
  try {
    const checkpoint = parseCheckpoint(note)
    verifyNote(checkpoint.note, [verifier])
    const isOwn = checkpoint.origin === verifier.name
    if (isOwn && checkpoint.size === size && checkpoint.rootHash.equals(rootHash)) return
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause
    const why = `the checkpoint of ${size} is not one of ${verifier.name} with this key`
    throw new TreeMismatchError(`${why} (${cause.message})`, { cause })
  }
  throw new TreeMismatchError(`the checkpoint of ${size} is another than the store says`)
}

/** The records must reach to the head: an older copy of them would be followed by records that were never there. */
async function checkLastRecord(
  { records, tree }: GrowthDeps,
  head: StoredCheckpoint,
): Promise<void> {
  const { size } = head
  const { last } = await records.extent()
  if (last < size) {
    throw new TreeMismatchError(`the tree has ${size} records, and the log only ${last}`)
  }
  const [record] = await records.after(size - 1, 1)
  if (record?.position !== size) return // archived
  const leaf = await asMismatch(() => tileReader(tree)(0, size - 1, size))
  if (!leafHash(record.commitment).equals(leaf)) {
    throw new TreeMismatchError(`record ${size} is not the one that is in the tree`)
  }
}

/** With a gap before it, the last record would stand at another position than the tree gives it. */
async function checkPositions(
  records: GrowthDeps['records'],
  from: number,
  commitments: readonly Buffer[],
): Promise<void> {
  const last = from + commitments.length
  const [record] = await records.after(last - 1, 1)
  const isNeighbour = record?.position === last && record.commitment.equals(commitments.at(-1)!)
  if (!isNeighbour) {
    throw new TreeMismatchError(`the records from ${from + 1} to ${last} are not all there`)
  }
}

async function asMismatch<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof MerkleError)) throw cause
    throw new TreeMismatchError(cause.message, { cause })
  }
}

/** The tiles that change when leaves are added behind `from`, and a reader that sees them already. */
async function growTiles(
  tree: Pick<TreeStore, 'tile'>,
  from: number,
  leaves: readonly Buffer[],
): Promise<{ tiles: TileWrite[]; read: ReturnType<typeof tileReader> }> {
  const written = new Map<string, TileWrite>()
  let start = from
  let hashes: readonly Buffer[] = leaves
  for (let level = 0; hashes.length > 0; level += 1) {
    const above: Buffer[] = []
    for (let taken = 0; taken < hashes.length;) {
      const index = Math.floor((start + taken) / TILE_WIDTH)
      const width = (start + taken) % TILE_WIDTH
      const added = hashes.slice(taken, taken + TILE_WIDTH - width)
      const tile = Buffer.concat([await beginning(tree, level, index, width), ...added])
      written.set(`${level}/${index}`, { level, index, hashes: tile })
      if (tile.length === TILE_WIDTH * HASH_BYTES) above.push(tileRoot(tile))
      taken += added.length
    }
    start = Math.floor(start / TILE_WIDTH)
    hashes = above
  }
  const read = tileReader({
    tile: async (level, index) =>
      written.get(`${level}/${index}`)?.hashes ?? (await tree.tile(level, index)),
  })
  return { tiles: [...written.values()], read }
}

async function beginning(
  tree: Pick<TreeStore, 'tile'>,
  level: number,
  index: number,
  width: number,
): Promise<Buffer> {
  if (width === 0) return Buffer.alloc(0)
  const tile = await tree.tile(level, index)
  if (tile !== undefined && tile.length >= width * HASH_BYTES) {
    return tile.subarray(0, width * HASH_BYTES)
  }
  throw new TreeMismatchError(`the tile ${index} of level ${level} has not all hashes`)
}
