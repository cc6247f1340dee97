import { describe, expect, it } from 'vitest'
import {
  catalogueWitnessName,
  checkpointText,
  logOrigin,
  parseCheckpoint,
  verifyCosignature,
  witnessName,
} from '../../protocol/checkpoint.ts'
import { readGatewayId } from '../../protocol/identifiers.ts'
import { NoteError, parseSignatureLine, parseVkey } from '../../protocol/signed-note.ts'
import { readVectors, unlessNoteError } from './support.ts'

const vectors = readVectors<{
  checkpoints: {
    comment: string
    checkpoint: string
    origin: string | null
    size?: number
    root?: string
  }[]
  cosignatures: { comment: string; text: string; line: string; vkey: string; time: number | null }[]
}>('checkpoint')

describe('a checkpoint', () => {
  it.each(vectors.checkpoints)('$comment', ({ checkpoint, origin, size, root }) => {
    const read = unlessNoteError(() => parseCheckpoint(checkpoint))
    if (origin === null) expect(read).toBeUndefined()
    else {
      expect(read).toMatchObject({ origin, size })
      expect(read?.rootHash.toString('base64')).toBe(root)
      expect(checkpoint.startsWith(read ? checkpointText(read) : 'none')).toBe(true)
    }
  })
})

describe('a cosignature', () => {
  it('of another length is refused, however short', () => {
    const { text, line, vkey } = vectors.cosignatures[0]!
    const [read, witness] = [parseSignatureLine(line), parseVkey(vkey)]
    for (const length of [1, 7, 71]) {
      const signature = read.signature.subarray(0, length)
      expect(() => verifyCosignature(text, { ...read, signature }, witness)).toThrow(NoteError)
    }
  })

  it.each(vectors.cosignatures)('$comment', ({ text, line, vkey, time }) => {
    const verify = (): Date => verifyCosignature(text, parseSignatureLine(line), parseVkey(vkey))
    expect(unlessNoteError(verify)?.getTime()).toBe(time === null ? undefined : time * 1000)
  })
})

describe('the name of a key', () => {
  it('is made of identifiers in their encoded form', () => {
    const moi = readGatewayId('KH/GOV/ក្រសួង/A 1+2')
    expect(logOrigin(moi)).toBe(
      'spean/KH/GOV/%E1%9E%80%E1%9F%92%E1%9E%9A%E1%9E%9F%E1%9E%BD%E1%9E%84/A%201%2B2/log',
    )
    expect(logOrigin(readGatewayId('KH/GOV/A/1'), 2)).toBe('spean/KH/GOV/A/1/log2')
    expect(witnessName(readGatewayId('KH/GOV/A/1'))).toBe('spean/KH/GOV/A/1/witness')
    expect(catalogueWitnessName('KH')).toBe('spean/KH/witness')
  })
})
