import { HASH_BYTES, leafHash, TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import type { Report } from './finding.ts'
import type { Gaps } from './gaps.ts'
import { hashRecord, REACH, type HashedRecord, type LeafCheck } from './leaf-check.ts'
import type { CheckedRecord, LogSource } from './source.ts'
import { doesFit, readTiles, widthOf, type SignedTree, type TileLeaves } from './tile-leaves.ts'

/** Records of one step: memory stays bounded. A multiple of a tile's width. */
export const CHUNK = 8 * TILE_WIDTH
/** Tiles beside those of a step, in which moved records are looked for. */
const NEIGHBOURS = 2

export interface ChunkContext {
  readonly source: Pick<LogSource, 'records' | 'tree'>
  readonly signed: SignedTree
  readonly leafCheck: LeafCheck
  readonly gaps: Gaps
  readonly report: Report
}
export interface CheckedChunk {
  readonly records: readonly CheckedRecord[]
  /** Leaf hashes from `base` on, as they should be, as far as they are known. */
  readonly leaves: Buffer
}

/**
 * Checks the records of some whole tiles: that none lacks, and that each is what the tree has in its place.
 *
 * @param base number of leaves before these tiles.
 */
export async function checkChunk(
  context: ChunkContext,
  base: number,
  range: { readonly from: number; readonly to: number },
): Promise<CheckedChunk> {
  const { source, signed, leafCheck, gaps, report } = context
  const until = Math.min(base + CHUNK, range.to)
  const found = await source.records.records(Math.max(base, range.from - 1), until)
  addGaps(found, Math.max(base + 1, range.from), until, gaps)
  const moved = leafCheck.shift !== 0
  const tiles = await readTiles(source.tree, signed, {
    from: base / TILE_WIDTH - (moved ? NEIGHBOURS : 0),
    to: (base + CHUNK) / TILE_WIDTH + NEIGHBOURS,
    // Neighbours are looked at twice, and reported once.
    report: (finding) => {
      if (finding.position! > base && finding.position! <= base + CHUNK) report(finding)
    },
  })
  const leafAt = (position: number) => tiles.at(position - 1 + leafCheck.shift)
  const hashed = withoutDoubles(found.map(hashRecord), leafAt, report)
  const records = hashed.map(({ record }) => record)
  if (moved || !isInPlace(hashed, tiles, signed)) {
    if (!moved) await mendTiles(context, hashed, tiles)
    const following = await source.records.records(until, until + REACH)
    const next = withoutDoubles(following.map(hashRecord), leafAt, () => undefined)
    await leafCheck.compare(hashed, next, tiles)
  }
  const end = Math.max(until, Math.min(base + CHUNK, signed.size))
  return { records, leaves: leavesOf({ base, end, signed }, hashed, tiles) }
}

function addGaps(records: readonly CheckedRecord[], first: number, last: number, gaps: Gaps): void {
  let expected = first
  for (const { position } of [...records, { position: last + 1 }]) {
    if (position > expected) gaps.add(expected, position - 1)
    expected = position + 1
  }
}

/**
 * Of several records of one position, which a database has only when somebody took away what forbids it, the one
 * stays that the tree knows.
 */
function withoutDoubles(
  hashed: readonly HashedRecord[],
  leafAt: (position: number) => Buffer | undefined,
  report: Report,
): readonly HashedRecord[] {
  if (!hashed.some((one, i) => one.record.position === hashed[i - 1]?.record.position)) {
    return hashed
  }
  const byPosition = Map.groupBy(hashed, ({ record }) => record.position)
  return [...byPosition].map(([position, doubles]) => {
    const leaf = leafAt(position)
    const own = doubles.find((one) => leaf?.equals(one.leaf) === true) ?? doubles[0]!
    for (const { record } of doubles.filter((one) => one !== own)) {
      const { exchangeId } = record
      const detail = 'another record has the same position'
      report({ code: 'record.inserted', position, exchangeId, detail })
    }
    return own
  })
}

/** The usual case, without looking at each record. */
function isInPlace(
  hashed: readonly HashedRecord[],
  tiles: TileLeaves,
  signed: SignedTree,
): boolean {
  return hashed.every(({ record: { position }, leaf, isCommitted }) => {
    if (!isCommitted) return false
    return position > signed.size || tiles.at(position - 1)?.equals(leaf) === true
  })
}

/** Mends tiles that contradict commitments, where the commitments are what was signed. */
async function mendTiles(
  { source, signed, report }: ChunkContext,
  hashed: readonly HashedRecord[],
  tiles: TileLeaves,
): Promise<void> {
  const changed = new Map<number, { hashes: Buffer; position: number }>()
  for (const { record } of hashed) {
    const leaf = leafHash(record.commitment)
    const index = Math.floor((record.position - 1) / TILE_WIDTH)
    const tile = tiles.tile(index)
    const known = tiles.at(record.position - 1)
    if (tile === undefined || known === undefined || known.equals(leaf)) continue
    const { hashes, position } = changed.get(index) ?? {
      hashes: Buffer.from(tile),
      position: record.position,
    }
    hashes.set(leaf, ((record.position - 1) % TILE_WIDTH) * HASH_BYTES)
    changed.set(index, { hashes, position })
  }
  for (const [index, { hashes, position }] of changed) {
    if (!(await doesFit(source.tree, signed, { index, hashes }))) continue
    const detail = `tile ${index} of level 0 has another leaf here than the one that was signed`
    report({ code: 'tile.altered', position, detail })
    tiles.mend(index, hashes)
  }
}

/** Of the tiles; of the records where the tree does not reach, and where a tile lacks. */
function leavesOf(
  { base, end, signed }: { base: number; end: number; signed: SignedTree },
  hashed: readonly HashedRecord[],
  tiles: TileLeaves,
): Buffer {
  const leaves: Buffer[] = []
  const own = new Map<number, Buffer>()
  const isWhole = (index: number): boolean => tiles.tile(index)?.length === TILE_WIDTH * HASH_BYTES
  for (let at = base; at < end;) {
    const index = at / TILE_WIDTH
    if (isWhole(index) && widthOf(index, signed.size) === TILE_WIDTH) {
      leaves.push(tiles.tile(index)!)
      at += TILE_WIDTH
      continue
    }
    if (own.size === 0) for (const { record, leaf } of hashed) own.set(record.position, leaf)
    const leaf = tiles.at(at) ?? own.get(at + 1)
    if (leaf === undefined) break
    leaves.push(leaf)
    at += 1
  }
  return Buffer.concat(leaves)
}
