import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  EMPTY_RANGE,
  growRange,
  rangeRoot,
  readCompactRange,
} from '../../protocol/compact-range.ts'
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  MerkleError,
  parseTilePath,
  rootOf,
  tilePath,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/merkle-tree.ts'
import { naiveInclusion, naiveRoot, readerOf } from './naive-tree.ts'
import { readVectors } from './support.ts'

interface Inclusion {
  readonly comment: string
  readonly index: number
  readonly size: number
  readonly leaf: string
  readonly proof: string[]
  readonly root: string
  readonly valid: boolean
}
interface Consistency extends Omit<Inclusion, 'index' | 'leaf'> {
  readonly oldSize: number
  readonly oldRoot: string
}
const vectors = readVectors<{
  heads: { size: number; root: string }[]
  inclusion: Inclusion[]
  consistency: Consistency[]
  paths: { path: string; level: number | 'entries' | null; index: number; width: number }[]
}>('merkle-tree')

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const entry = (i: number): Buffer => hash('sha256', `entry ${i}`, 'buffer')
const LEAVES = Array.from({ length: 1300 }, (_, i) => leafHash(entry(i)))
const sizes = fc.integer({ min: 1, max: LEAVES.length })

/** Whether it was accepted; a refusal must be one in words. */
function accepts(verify: () => void): boolean {
  try {
    verify()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(MerkleError)
    return false
  }
}

describe('a tree head', () => {
  it.each(vectors.heads)('of $size leaves is the one of RFC 6962', async ({ size, root }) => {
    const leaves = LEAVES.slice(0, size)
    expect((await treeRoot(size, readerOf(leaves))).toString('hex')).toBe(root)
    expect(rootOf(leaves).toString('hex')).toBe(root)
    expect(rangeRoot(growRange(EMPTY_RANGE, leaves)).toString('hex')).toBe(root)
  })

  it('is the same by every way to it, for every size', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, async (a, b) => {
        const [size, from] = [Math.max(a, b), Math.min(a, b)]
        const read = readerOf(LEAVES.slice(0, size))
        const root = naiveRoot(LEAVES.slice(0, size))
        expect(await treeRoot(size, read)).toEqual(root)
        const range = await readCompactRange(from, read)
        expect(rangeRoot(growRange(range, LEAVES.slice(from, size)))).toEqual(root)
      }),
    )
  })
})

describe('an inclusion proof', () => {
  it.each(vectors.inclusion)('$comment: $valid', async (vector) => {
    const { index, size, proof, root, valid } = vector
    const of = { index, size, leaf: hex(vector.leaf) }
    expect(accepts(() => verifyInclusion(proof.map(hex), of, hex(root)))).toBe(valid)
    if (!valid) return
    const made = await inclusionProof(index, size, readerOf(LEAVES.slice(0, size)))
    expect(made.map((one) => one.toString('hex'))).toEqual(proof)
  })

  it('is that of a naive tree, is accepted, and for nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), fc.nat(), fc.nat(255), async (size, n, m, bit) => {
        const leaves = LEAVES.slice(0, size)
        const index = n % size
        const root = naiveRoot(leaves)
        const proof = await inclusionProof(index, size, readerOf(leaves))
        expect(proof).toEqual(naiveInclusion(index, leaves))
        const of = { index, size, leaf: leaves[index]! }
        expect(accepts(() => verifyInclusion(proof, of, root))).toBe(true)
        const other = (index + 1 + (m % size)) % size
        const isOther = other !== index
        expect(accepts(() => verifyInclusion(proof, { ...of, index: other }, root))).toBe(!isOther)
        expect(accepts(() => verifyInclusion(proof, of, flipped(root, bit)))).toBe(false)
        if (proof.length === 0) return
        const changed = proof.with(m % proof.length, flipped(proof[m % proof.length]!, bit))
        expect(accepts(() => verifyInclusion(changed, of, root))).toBe(false)
      }),
    )
  })

  it.each([-1, 0.5, 7, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])(
    'is not made of leaf %d of 7, nor verified',
    async (index) => {
      const read = readerOf(LEAVES.slice(0, 7))
      await expect(inclusionProof(index, 7, read)).rejects.toBeInstanceOf(MerkleError)
      const of = { index, size: 7, leaf: LEAVES[0]! }
      expect(accepts(() => verifyInclusion([], of, LEAVES[0]!))).toBe(false)
    },
  )

  it('is verified for indices that 32 bits do not hold', () => {
    // The last leaf of 2^40 + 1: its sibling is all the rest.
    const [left, leaf] = [LEAVES[0]!, LEAVES[1]!]
    const of = { index: 2 ** 40, size: 2 ** 40 + 1, leaf }
    expect(accepts(() => verifyInclusion([left], of, rootOf([left, leaf])))).toBe(true)
    const wrong = { ...of, index: 0 }
    expect(accepts(() => verifyInclusion([left], wrong, rootOf([left, leaf])))).toBe(false)
  })
})

describe('a consistency proof', () => {
  it.each(vectors.consistency)('$comment: $valid', async (vector) => {
    const { oldSize, size, proof, valid } = vector
    const old = { size: oldSize, root: hex(vector.oldRoot) }
    const now = { size, root: hex(vector.root) }
    expect(accepts(() => verifyConsistency(proof.map(hex), old, now))).toBe(valid)
    if (!valid) return
    const made = await consistencyProof(oldSize, size, readerOf(LEAVES.slice(0, size)))
    expect(made.map((one) => one.toString('hex'))).toEqual(proof)
  })

  it('is accepted for what continues, and for no fork', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(), async (a, b, n) => {
        const [size, oldSize] = [Math.max(a, b), Math.min(a, b)]
        const leaves = LEAVES.slice(0, size)
        const now = { size, root: naiveRoot(leaves) }
        const old = { size: oldSize, root: naiveRoot(leaves.slice(0, oldSize)) }
        const proof = await consistencyProof(oldSize, size, readerOf(leaves))
        expect(accepts(() => verifyConsistency(proof, old, now))).toBe(true)
        const forked = leaves.with(n % oldSize, leafHash(Buffer.from('another')))
        const fork = { size, root: naiveRoot(forked) }
        const forkProof = await consistencyProof(oldSize, size, readerOf(forked))
        for (const given of [proof, forkProof]) {
          expect(accepts(() => verifyConsistency(given, old, fork))).toBe(false)
        }
      }),
    )
  })

  it.each([
    [-1, 7],
    [8, 7],
    [0.5, 7],
    [Number.NaN, 7],
    [1, Number.NaN],
    [2, 2 ** 60],
  ])('is not made from %d to %d, nor verified', async (oldSize, size) => {
    const read = readerOf(LEAVES.slice(0, 7))
    await expect(consistencyProof(oldSize, size, read)).rejects.toBeInstanceOf(MerkleError)
    const [old, now] = [oldSize, size].map((count) => ({ size: count, root: LEAVES[0]! }))
    expect(accepts(() => verifyConsistency([], old!, now!))).toBe(false)
  })
})

describe('the path of a tile', () => {
  it.each(vectors.paths)('$path', ({ path, level, index, width }) => {
    if (level === null) expect(parseTilePath(path)).toBeUndefined()
    else {
      expect(parseTilePath(path)).toEqual({ level, index, width })
      expect(tilePath(level, index, width)).toBe(path)
    }
  })

  it('is read as it is written, and has one spelling', () => {
    const level = fc.oneof(fc.nat(63), fc.constant('entries' as const))
    const index = fc.nat(Number.MAX_SAFE_INTEGER)
    fc.assert(
      fc.property(level, index, fc.integer({ min: 1, max: 256 }), (l, n, w) => {
        expect(parseTilePath(tilePath(l, n, w))).toEqual({ level: l, index: n, width: w })
      }),
    )
    const pieces = fc.constantFrom('tile', '/', '0', 'x', '000', '.p/', '12', 'entries', '\n')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const path = parts.join('')
        const read = parseTilePath(path)
        if (read) expect(tilePath(read.level, read.index, read.width)).toBe(path)
      }),
      { numRuns: 2000 },
    )
  })
})

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}
