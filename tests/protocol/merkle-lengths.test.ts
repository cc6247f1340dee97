/** Proofs that lead to the root all the same, and are a hash too long or too short for the sizes. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  EMPTY_ROOT,
  MerkleError,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/merkle-tree.ts'

const [a, b, c, d] = Array.from({ length: 4 }, () => randomBytes(32)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
]
const short = a.subarray(1)

describe('an inclusion proof', () => {
  const first = { index: 0, size: 1, leaf: a }

  it('has not one hash more than its size needs', () => {
    expect(() => verifyInclusion([], first, a)).not.toThrow()
    expect(() => verifyInclusion([b], first, nodeHash(b, a))).toThrow(MerkleError)
  })

  it('has hashes of 32 bytes only', () => {
    expect(() => verifyInclusion([], { ...first, leaf: short }, short)).toThrow(MerkleError)
    const root = nodeHash(a, short)
    expect(() => verifyInclusion([short], { ...first, size: 2 }, root)).toThrow(MerkleError)
  })
})

describe('a consistency proof', () => {
  const trees = (old: Buffer, now: Buffer) =>
    [
      { size: 3, root: old },
      { size: 4, root: now },
    ] as const
  // As RFC 9162 §2.1.4.2 has it: the third leaf, the fourth, the two before.
  const old = nodeHash(c, a)
  const now = nodeHash(c, nodeHash(a, b))

  it('has neither a hash more nor less than its sizes need', () => {
    expect(() => verifyConsistency([a, b, c], ...trees(old, now))).not.toThrow()
    const longer = trees(nodeHash(d, old), nodeHash(d, now))
    expect(() => verifyConsistency([a, b, c, d], ...longer)).toThrow(MerkleError)
    const shorter = trees(a, nodeHash(a, b))
    expect(() => verifyConsistency([a, b], ...shorter)).toThrow(MerkleError)
  })

  it('is empty from the empty tree', () => {
    const nothing = { size: 0, root: EMPTY_ROOT }
    expect(() => verifyConsistency([], nothing, { size: 5, root: a })).not.toThrow()
    expect(() => verifyConsistency([b], nothing, { size: 5, root: a })).toThrow(MerkleError)
  })

  it('has hashes of 32 bytes only', () => {
    const same = { size: 5, root: short }
    expect(() => verifyConsistency([], same, same)).toThrow(MerkleError)
  })
})
