import {
  HASH_BYTES,
  MerkleError,
  TILE_WIDTH,
  tileRoot,
  treeRoot,
} from '../../protocol/merkle-tree.ts'
import { tileReader } from '../tree-reader.ts'
import type { TreeStore } from '../tree-store.ts'
import type { Report } from './finding.ts'
import type { TreeLeaves } from './leaf-check.ts'

/** A tree as it was signed last; undefined: no checkpoint is to be believed. */
export interface SignedTree {
  readonly size: number
  readonly rootHash: Buffer | undefined
}

/** The leaves of some neighbouring tiles of level 0. */
export interface TileLeaves extends TreeLeaves {
  /** One tile: as many hashes as it should have; undefined when it lacks. */
  tile(index: number): Buffer | undefined
  /** Replaces a tile by what it should be. */
  mend(index: number, hashes: Buffer): void
}

/** Reads tiles `from` to before `to`. Those that lack are reported. */
export async function readTiles(
  tree: Pick<TreeStore, 'tile'>,
  signed: SignedTree,
  range: { readonly from: number; readonly to: number; readonly report: Report },
): Promise<TileLeaves> {
  const tiles = new Map<number, Buffer>()
  for (let index = Math.max(0, range.from); index < range.to; index += 1) {
    const width = widthOf(index, signed.size)
    if (width === 0) break
    const hashes = (await tree.tile(0, index))?.subarray(0, width * HASH_BYTES)
    if (hashes?.length === width * HASH_BYTES) tiles.set(index, hashes)
    else {
      const position = index * TILE_WIDTH + 1
      const detail = `tile ${index} of level 0 is gone, or has fewer than its ${width} hashes`
      const lastPosition = position + width - 1
      range.report({ code: 'tile.missing', position, lastPosition, detail })
    }
  }
  return {
    tile: (index) => tiles.get(index),
    mend: (index, hashes) => void tiles.set(index, hashes),
    at: (index) => {
      const number = Math.floor(index / TILE_WIDTH)
      const start = (index - number * TILE_WIDTH) * HASH_BYTES
      const tile = tiles.get(number)
      return tile !== undefined && start < tile.length
        ? tile.subarray(start, start + HASH_BYTES)
        : undefined
    },
    find: (leaf) => findLeaf(tree, signed.size, leaf),
  }
}

/** Hashes that a tile of level 0 has in a tree of some size. */
export function widthOf(index: number, treeSize: number): number {
  return Math.max(0, Math.min(TILE_WIDTH, treeSize - index * TILE_WIDTH))
}

async function findLeaf(
  tree: Pick<TreeStore, 'tile'>,
  size: number,
  leaf: Buffer,
): Promise<number | undefined> {
  for (let index = 0; index * TILE_WIDTH < size; index += 1) {
    const tile = await tree.tile(0, index)
    const at = tile?.indexOf(leaf) ?? -1
    if (at >= 0 && at % HASH_BYTES === 0) return index * TILE_WIDTH + at / HASH_BYTES
  }
  return undefined
}

/** Whether a tile of level 0 would fit what was signed, if it had these hashes. */
export async function doesFit(
  tree: Pick<TreeStore, 'tile'>,
  { size, rootHash }: SignedTree,
  { index, hashes }: { readonly index: number; readonly hashes: Buffer },
): Promise<boolean> {
  // Every tile above it would be another one as well.
  const mended = new Map([[`0/${index}`, hashes]])
  let below = hashes
  let place = index
  for (let level = 1; below.length === TILE_WIDTH * HASH_BYTES; level += 1) {
    const at = Math.floor(place / TILE_WIDTH)
    const above = await tree.tile(level, at)
    if (above === undefined) break
    const offset = (place % TILE_WIDTH) * HASH_BYTES
    if (level === 1 && tileRoot(hashes).equals(above.subarray(offset, offset + HASH_BYTES))) {
      return true
    }
    const copy = Buffer.from(above)
    copy.set(tileRoot(below), offset)
    mended.set(`${level}/${at}`, copy)
    below = copy
    place = at
  }
  const read = tileReader({
    tile: async (level, at) => mended.get(`${level}/${at}`) ?? (await tree.tile(level, at)),
  })
  try {
    return rootHash !== undefined && (await treeRoot(size, read)).equals(rootHash)
  } catch (error) {
    if (error instanceof MerkleError) return false
    throw error
  }
}
