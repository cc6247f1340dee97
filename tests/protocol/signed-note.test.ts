import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatNote,
  formatVkey,
  NOTE_TYPE,
  NoteError,
  noteVerifier,
  parseNote,
  parseSignatureLine,
  parseVkey,
  signNote,
  verifyNote,
} from '../../protocol/signed-note.ts'
import { readVectors, unlessNoteError } from './support.ts'

const vectors = readVectors<{
  vkeys: { comment: string; vkey: string; name: string | null; keyId: string; type: number }[]
  notes: { comment: string; note: string; vkeys: string[]; signedBy: string[] | null }[]
}>('signed-note')

const { privateKey } = generateKeyPairSync('ed25519')
const signer = noteVerifier('example.org/log', privateKey, NOTE_TYPE.ed25519)

describe('a verifier key', () => {
  it.each(vectors.vkeys)('$comment', ({ vkey, name, keyId, type }) => {
    const read = unlessNoteError(() => parseVkey(vkey))
    if (name === null) expect(read).toBeUndefined()
    else {
      expect(read).toMatchObject({ name, type })
      expect(read?.keyId.toString('hex')).toBe(keyId)
      expect(read && formatVkey(read)).toBe(vkey)
    }
  })

  it.each(['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u2028b', 'a\0'])(
    'has no name like %j',
    (name) => {
      expect(() => noteVerifier(name, privateKey, NOTE_TYPE.ed25519)).toThrow(NoteError)
    },
  )

  it('is one of Ed25519', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(() => noteVerifier('a', publicKey, NOTE_TYPE.ed25519)).toThrow(NoteError)
  })
})

describe('a note', () => {
  it.each(vectors.notes)('$comment', ({ note, vkeys, signedBy }) => {
    const by = unlessNoteError(() => verifyNote(parseNote(note), vkeys.map(parseVkey)))
    expect(by?.map(({ name }) => name) ?? null).toEqual(signedBy)
  })

  it('is read as it was written, whatever its text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\n', '—', ' ', 'ក', '😀', '+') })
    fc.assert(
      fc.property(text, (body) => {
        const lines = `${body}\n`
        const note = formatNote(lines, [signNote(lines, signer, privateKey)])
        const read = parseNote(note)
        expect(read.text).toBe(lines)
        expect(verifyNote(read, [signer])).toEqual([signer])
        expect(formatNote(read.text, read.signatures)).toBe(note)
      }),
    )
  })

  it('is refused after any change of a byte of text or signature', () => {
    const text = 'example.org/log\n7\nAAAA\n'
    const note = Buffer.from(formatNote(text, [signNote(text, signer, privateKey)]))
    for (let i = 0; i < note.length; i += 1) {
      for (const bit of [0, 3, 6]) {
        const changed = Buffer.from(note)
        changed[i]! ^= 1 << bit
        const by = unlessNoteError(() => verifyNote(parseNote(changed.toString()), [signer]))
        expect(by, `byte ${i}, bit ${bit}`).toBeUndefined()
      }
    }
  })

  it('may have as many signatures as a policy has witnesses, and not more than is sensible', () => {
    const text = 'x\n'
    const signature = signNote(text, signer, privateKey)
    const stranger = { ...signature, name: 'example.net/a' }
    const many = [...Array(63).fill(stranger), signature]
    expect(verifyNote(parseNote(formatNote(text, many)), [signer])).toEqual([signer])
    expect(() => parseNote(formatNote(text, [...many, stranger]))).toThrow(NoteError)
    expect(() => parseNote(formatNote(`${'a'.repeat(65_536)}\n`, [signature]))).toThrow(NoteError)
  })

  it('has no signature of nothing behind a key id', () => {
    const line = (bytes: number): string => `— a ${Buffer.alloc(bytes).toString('base64')}`
    expect(parseSignatureLine(line(5)).signature).toHaveLength(1)
    expect(() => parseSignatureLine(line(4))).toThrow(NoteError)
  })

  it('with half a character is refused', () => {
    expect(() => parseNote('\ud800\n\n— a AAAAAAA=\n')).toThrow(NoteError)
  })
})
