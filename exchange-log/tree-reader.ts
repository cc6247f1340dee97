import { MerkleError, HASH_BYTES, TILE_WIDTH, type ReadHashes } from '../protocol/merkle-tree.ts'
import type { TreeStore } from './tree-store.ts'

/** Levels of one tile. */
const TILE_LEVELS = 8

/** Reads hashes for proofs from the tiles of a log. @returns a reader that throws MerkleError for tiles that lack. */
export function tileReader(tree: Pick<TreeStore, 'tile'>): ReadHashes {
  return async (level, from, to) => {
    const index = Math.floor(from / TILE_WIDTH)
    const tile = await tree.tile(level / TILE_LEVELS, index)
    const start = (from - index * TILE_WIDTH) * HASH_BYTES
    const end = (to - index * TILE_WIDTH) * HASH_BYTES
    if (tile !== undefined && tile.length >= end) return tile.subarray(start, end)
    throw new MerkleError(`the tile ${index} of level ${level / TILE_LEVELS} has not all hashes`)
  }
}
