/**
 * Merkle hash trees of RFC 6962 §2.1, over a source of tiles as C2SP tlog-tiles lays them out: 256 hashes wide,
 * 8 levels high. Everything here is pure; who stores or serves tiles gives them.
 */
import { hash } from 'node:crypto'

export const HASH_BYTES = 32
/** Hashes of a full tile (tlog-tiles, "Merkle Tree"). */
export const TILE_WIDTH = 256
const TILE_HEIGHT = 8

/**
 * Reads hashes of a tree: those of `level` (0: leaves; 8: hashes of full tiles of leaves; and so on, multiples
 * of 8 only) from `from` to before `to`, all within one tile. 32 bytes each.
 */
export type ReadHashes = (level: number, from: number, to: number) => Promise<Buffer>

/** What a proof or a tree head cannot be made of, or does not fit. */
export class MerkleError extends Error {
  override readonly name = 'MerkleError'
}

/** The hash of the empty tree (RFC 6962 §2.1). */
export const EMPTY_ROOT: Buffer = sha256(Buffer.alloc(0))

/** MTH of one entry: SHA-256(0x00 ‖ entry). */
export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + entry.length)
  input[0] = 0
  input.set(entry, 1)
  return sha256(input)
}

const node = Buffer.alloc(1 + 2 * HASH_BYTES)
/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node[0] = 1
  node.set(left, 1)
  node.set(right, 1 + HASH_BYTES)
  return sha256(node)
}

/** SHA-256 (FIPS 180-4), three times as fast as `hash(…, 'buffer')`, which has the engine allocate each result. */
export function sha256(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('sha256', bytes, 'binary'), 'latin1')
}

/** MTH of neighbouring subtree hashes of one level; any number from 1 on. */
export function rootOf(hashes: readonly Uint8Array[]): Buffer {
  if (hashes.length === 0) return EMPTY_ROOT
  if (hashes.length === 1) return Buffer.from(hashes[0]!)
  const split = splitOf(hashes.length)
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)))
}

/** The same for a whole tile of 32-byte hashes, without slices. Only for a power of two of hashes. */
export function tileRoot(tile: Uint8Array): Buffer {
  let level = tile
  while (level.length > HASH_BYTES) {
    const above = Buffer.allocUnsafe(level.length / 2)
    for (let i = 0; i < above.length; i += HASH_BYTES) {
      above.set(
        nodeHash(
          level.subarray(2 * i, 2 * i + HASH_BYTES),
          level.subarray(2 * i + HASH_BYTES, 2 * i + 2 * HASH_BYTES),
        ),
        i,
      )
    }
    level = above
  }
  return Buffer.from(level)
}

/** The largest power of two smaller than `size` (RFC 6962 §2.1, k); `size` from 2 on. */
function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** MTH(D[start:end]) where the range is one that RFC 6962 splits a tree into. */
export async function rangeHash(start: number, end: number, read: ReadHashes): Promise<Buffer> {
  const size = end - start
  if (size === 1) return Buffer.from(await read(0, start, end))
  // A perfect, aligned subtree lies within one tile of some level.
  let span = 1
  let level = 0
  while (span * TILE_WIDTH <= size) {
    span *= TILE_WIDTH
    level += TILE_HEIGHT
  }
  const split = splitOf(size)
  const isPerfect = split * 2 === size && start % size === 0
  if (isPerfect) return tileRoot(await read(level, start / span, end / span))
  return nodeHash(
    await rangeHash(start, start + split, read),
    await rangeHash(start + split, end, read),
  )
}

/** The root hash of the tree of the first `size` leaves. */
export async function treeRoot(size: number, read: ReadHashes): Promise<Buffer> {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, read)
}

/**
 * PATH(index, D[size]) of RFC 6962 §2.1.1: from the leaf's sibling up.
 *
 * @throws MerkleError when the leaf is not in a tree of that size.
 */
export async function inclusionProof(
  index: number,
  size: number,
  read: ReadHashes,
): Promise<Buffer[]> {
  checkInTree(index, size)
  const proof: Buffer[] = []
  let start = 0
  let end = size
  while (end - start > 1) {
    const middle = start + splitOf(end - start)
    const isLeft = index < middle
    proof.push(await (isLeft ? rangeHash(middle, end, read) : rangeHash(start, middle, read)))
    if (isLeft) end = middle
    else start = middle
  }
  return proof.reverse()
}

/**
 * PROOF(oldSize, D[size]) of RFC 6962 §2.1.2; empty for equal sizes and for an old size of 0.
 *
 * @throws MerkleError when the old tree is the larger one.
 */
export async function consistencyProof(
  oldSize: number,
  size: number,
  read: ReadHashes,
): Promise<Buffer[]> {
  if (!isCount(oldSize) || !isCount(size) || oldSize > size) {
    throw new MerkleError(`a tree of ${oldSize} is not the beginning of one of ${size}`)
  }
  if (oldSize === 0 || oldSize === size) return []
  const proof: Buffer[] = []
  let start = 0
  let end = size
  let isWhole = true // b of RFC 6962: the old root itself is known to whoever verifies
  while (oldSize < end) {
    const middle = start + splitOf(end - start)
    if (oldSize <= middle) {
      proof.push(await rangeHash(middle, end, read))
      end = middle
    } else {
      proof.push(await rangeHash(start, middle, read))
      start = middle
      isWhole = false
    }
  }
  if (!isWhole) proof.push(await rangeHash(start, end, read))
  return proof.reverse()
}

/**
 * Verifies an inclusion proof (RFC 9162 §2.1.3.2, which fits RFC 6962 trees).
 *
 * @throws MerkleError when the leaf is not at that index of the tree with that root.
 */
export function verifyInclusion(
  proof: readonly Uint8Array[],
  of: { readonly index: number; readonly size: number; readonly leaf: Uint8Array },
  root: Uint8Array,
): void {
  const { index, size, leaf } = of
  checkInTree(index, size)
  checkHashes([...proof, leaf, root])
  let fn = index
  let sn = size - 1
  let computed: Uint8Array = leaf
  for (const sibling of proof) {
    if (sn === 0) throw new MerkleError('the inclusion proof is too long')
    if (fn % 2 === 1 || fn === sn) {
      computed = nodeHash(sibling, computed)
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2
        sn = Math.floor(sn / 2)
      }
    } else computed = nodeHash(computed, sibling)
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  if (sn !== 0) throw new MerkleError('the inclusion proof is too short')
  if (!Buffer.from(computed).equals(root)) {
    throw new MerkleError('the inclusion proof leads to another root')
  }
}

/**
 * Verifies a consistency proof (RFC 9162 §2.1.4.2).
 *
 * @throws MerkleError when the old tree is not the beginning of the new one, as far as the proof shows.
 */
export function verifyConsistency(
  proof: readonly Uint8Array[],
  old: { readonly size: number; readonly root: Uint8Array },
  now: { readonly size: number; readonly root: Uint8Array },
): void {
  if (!isCount(old.size) || !isCount(now.size)) throw new MerkleError('a size is a whole number')
  if (old.size > now.size) throw new MerkleError(`the tree shrank from ${old.size} to ${now.size}`)
  checkHashes([...proof, old.root, now.root])
  if (old.size === now.size) {
    if (proof.length > 0) throw new MerkleError('a proof between equal sizes is empty')
    if (!Buffer.from(old.root).equals(now.root)) {
      throw new MerkleError(`two trees of ${now.size} have different roots`)
    }
    return
  }
  if (old.size === 0) {
    if (proof.length > 0) throw new MerkleError('a proof from the empty tree is empty')
    return
  }
  let fn = old.size - 1
  let sn = now.size - 1
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  const rest = [...proof]
  // A perfect old tree is a node of the new one: its root starts both computations.
  const first = fn === 0 ? old.root : rest.shift()
  if (first === undefined) throw new MerkleError('the consistency proof is too short')
  let oldRoot: Uint8Array = first
  let newRoot: Uint8Array = first
  for (const hashed of rest) {
    if (sn === 0) throw new MerkleError('the consistency proof is too long')
    if (fn % 2 === 1 || fn === sn) {
      oldRoot = nodeHash(hashed, oldRoot)
      newRoot = nodeHash(hashed, newRoot)
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2
        sn = Math.floor(sn / 2)
      }
    } else newRoot = nodeHash(newRoot, hashed)
    fn = Math.floor(fn / 2)
    sn = Math.floor(sn / 2)
  }
  if (sn !== 0) throw new MerkleError('the consistency proof is too short')
  if (!Buffer.from(oldRoot).equals(old.root) || !Buffer.from(newRoot).equals(now.root)) {
    throw new MerkleError('the consistency proof leads to another root')
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

function checkInTree(index: number, size: number): void {
  if (isCount(index) && isCount(size) && index < size) return
  throw new MerkleError(`${index} is not in a tree of ${size}`)
}

function checkHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.every(({ length }) => length === HASH_BYTES)) return
  throw new MerkleError('a hash has not 32 bytes')
}

/**
 * The path of a tile below a log's prefix (tlog-tiles, "Merkle Tree"): `tile/0/x001/x234/067`.
 *
 * @param width of a partial tile; 256, the default, for a full one.
 */
export function tilePath(level: number | 'entries', index: number, width = TILE_WIDTH): string {
  const groups = [String(index % 1000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  return `tile/${level}/${groups.join('/')}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

export interface TileAddress {
  readonly level: number | 'entries'
  readonly index: number
  /** 1 to 255 of a partial tile; 256 of a full one. */
  readonly width: number
}

const TILE_PATH = /^tile\/(0|[1-9]\d?|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/
/** Levels of tiles that tlog-tiles counts. */
const TILE_LEVELS = 64

/**
 * Reads what {@link tilePath} writes, in its one spelling.
 *
 * @param path set by anybody.
 * @returns undefined for everything else.
 */
export function parseTilePath(path: string): TileAddress | undefined {
  if (path.length > 100) return undefined
  const [, level, groups, partial] = TILE_PATH.exec(path) ?? []
  if (level === undefined || groups === undefined) return undefined
  const address: TileAddress = {
    level: level === 'entries' ? level : Number(level),
    index: Number(groups.replaceAll(/[x/]/g, '')),
    width: partial === undefined ? TILE_WIDTH : Number(partial),
  }
  if (!Number.isSafeInteger(address.index) || Number(level) >= TILE_LEVELS) return undefined
  // Groups of zeros in front would be a second spelling, as `.p/256` would.
  return tilePath(address.level, address.index, address.width) === path ? address : undefined
}
