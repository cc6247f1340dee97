import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MerkleError } from '../../protocol/merkle-tree.ts'
import { NoteError, parseVkey, verifyNote } from '../../protocol/signed-note.ts'
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts'
import { readVectors, unlessNoteError } from './support.ts'

interface Vector {
  readonly comment: string
  readonly proof: string
  readonly leaf: string
  readonly vkey: string
  readonly valid: boolean
}
const vectors = readVectors<Vector[]>('tlog-proof')

function isValid({ proof, leaf, vkey }: Vector): boolean {
  try {
    return (
      unlessNoteError(() => {
        const parsed = parseTlogProof(proof)
        verifyTlogProof(parsed, Buffer.from(leaf, 'hex'))
        return verifyNote(parsed.parsed.note, [parseVkey(vkey)])
      }) !== undefined
    )
  } catch (error) {
    expect(error).toBeInstanceOf(MerkleError)
    return false
  }
}

describe('a proof of logging', () => {
  it.each(vectors)('$comment: $valid', (vector) => {
    expect(isValid(vector)).toBe(vector.valid)
  })

  it('has at most 63 hashes, of 32 bytes each', () => {
    const read = parseTlogProof(vectors[0]!.proof)
    const proofOf = (...inclusion: Buffer[]): string => formatTlogProof({ ...read, inclusion })
    const most = Array<Buffer>(63).fill(Buffer.alloc(32))
    expect(parseTlogProof(proofOf(...most)).inclusion).toHaveLength(63)
    expect(() => parseTlogProof(proofOf(...most, Buffer.alloc(32)))).toThrow(NoteError)
    for (const length of [0, 31, 33]) {
      expect(() => parseTlogProof(proofOf(Buffer.alloc(length)))).toThrow(NoteError)
    }
  })

  it('is written as it was read', () => {
    const { proof } = vectors[0]!
    expect(formatTlogProof(parseTlogProof(proof))).toBe(proof)
  })

  it('of one leaf has no hash', () => {
    const { proof } = vectors[0]!
    const { checkpoint } = parseTlogProof(proof)
    const text = formatTlogProof({ index: 0, inclusion: [], checkpoint })
    expect(parseTlogProof(text)).toMatchObject({ index: 0, inclusion: [], checkpoint })
  })

  it('is refused after any change of a character', () => {
    const vector = vectors[0]!
    fc.assert(
      fc.property(fc.nat(vector.proof.length - 1), fc.constantFrom('A', '\n', '0', ' '), (i, c) => {
        fc.pre(vector.proof[i] !== c)
        const proof = vector.proof.slice(0, i) + c + vector.proof.slice(i + 1)
        expect(isValid({ ...vector, proof })).toBe(false)
      }),
      { numRuns: 500 },
    )
  })
})
