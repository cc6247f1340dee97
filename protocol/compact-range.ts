/** What must be remembered of a Merkle tree to let it grow: one hash for each perfect subtree that it consists of. */
import { EMPTY_ROOT, nodeHash, rangeHash, type ReadHashes } from './merkle-tree.ts'

export interface CompactRange {
  /** Leaves. */
  readonly size: number
  /** The largest subtree first: their sizes are the powers of two that `size` is the sum of. */
  readonly subtrees: readonly Buffer[]
}

export const EMPTY_RANGE: CompactRange = { size: 0, subtrees: [] }

/** Of the first `size` leaves, from tiles. */
export async function readCompactRange(size: number, read: ReadHashes): Promise<CompactRange> {
  const subtrees: Buffer[] = []
  for (let start = 0; start < size;) {
    let span = 1
    while (span * 2 <= size - start) span *= 2
    subtrees.push(await rangeHash(start, start + span, read))
    start += span
  }
  return { size, subtrees }
}

/** The tree of `range` with more leaves behind: it is consistent with `range` by the way it is made. */
export function growRange(range: CompactRange, leaves: readonly Uint8Array[]): CompactRange {
  const subtrees = [...range.subtrees]
  let { size } = range
  for (const leaf of leaves) {
    let hash: Buffer = Buffer.from(leaf)
    // As many subtrees end here as there are ones at the end of the size, in binary.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = nodeHash(subtrees.pop()!, hash)
    }
    subtrees.push(hash)
    size += 1
  }
  return { size, subtrees }
}

/** MTH of the whole tree. */
export function rangeRoot({ subtrees }: CompactRange): Buffer {
  const last = subtrees.at(-1)
  if (last === undefined) return EMPTY_ROOT
  return subtrees.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}
