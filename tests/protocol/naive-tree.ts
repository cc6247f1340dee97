/** RFC 6962 §2.1 word by word, without tiles and without tricks. */
import { createHash } from 'node:crypto'
import { HASH_BYTES, TILE_WIDTH, type ReadHashes } from '../../protocol/merkle-tree.ts'

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest()
}

function split(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

/** @param leaves their hashes. */
export function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  const k = split(leaves.length)
  return sha256(Buffer.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)))
}

export function naiveInclusion(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return index < k
    ? [...naiveInclusion(index, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naiveInclusion(index - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))]
}

/** Tiles of these leaves, and no hash more. */
export function readerOf(leaves: readonly Buffer[]): ReadHashes {
  return async (level, from, to) => {
    const span = 2 ** level
    if (level % 8 !== 0 || Math.floor(from / TILE_WIDTH) !== Math.floor((to - 1) / TILE_WIDTH)) {
      throw new TypeError('hashes are asked for that no tile holds')
    }
    if (to * span > leaves.length) throw new TypeError('hashes are asked for that are not there')
    const hashes = Array.from({ length: to - from }, (_, i) =>
      naiveRoot(leaves.slice((from + i) * span, (from + i + 1) * span)),
    )
    return Buffer.concat(hashes, (to - from) * HASH_BYTES)
  }
}
