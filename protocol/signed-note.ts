/** Signed notes of C2SP signed-note v1.0.0, with Ed25519 keys; and verifier keys (vkeys). */
import { createPublicKey, hash, sign, verify, type KeyObject } from 'node:crypto'

/** Signature types that are known here (signed-note, "Signature types"). */
export const NOTE_TYPE = { ed25519: 0x01, cosignature: 0x04 } as const
export type NoteType = (typeof NOTE_TYPE)[keyof typeof NOTE_TYPE]

/** A key that signs notes, as others know it. */
export interface NoteVerifier {
  readonly name: string
  /** 4 bytes. */
  readonly keyId: Buffer
  readonly type: NoteType
  readonly publicKey: KeyObject
}
export interface NoteSignature {
  readonly name: string
  readonly keyId: Buffer
  /** What follows the key id. */
  readonly signature: Buffer
}
export interface Note {
  /** With its final newline; this is what is signed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** The note, verifier key or signature has not the form of the specification, or does not verify. */
export class NoteError extends Error {
  override readonly name = 'NoteError'
}

const MAX_NOTE_BYTES = 64 * 1024
const MAX_SIGNATURES = 64
/** DER of SubjectPublicKeyInfo before the 32 bytes of an Ed25519 key (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const NAME = /^[^\s+\p{Z}\p{Cc}]+$/u

/** 32 bytes (RFC 8032 §5.1.5). */
export function rawEd25519(key: KeyObject): Buffer {
  const publicKey = key.type === 'public' ? key : createPublicKey(key)
  if (publicKey.asymmetricKeyType !== 'ed25519') throw new NoteError('notes are signed by Ed25519')
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length)
}

/** @throws NoteError for a name with spaces or `+`, and for a key that is not Ed25519. */
export function noteVerifier(name: string, key: KeyObject, type: NoteType): NoteVerifier {
  if (!NAME.test(name)) throw new NoteError('a key name has no spaces, controls and +')
  const raw = rawEd25519(key)
  const spki = Buffer.concat([SPKI_PREFIX, raw])
  return {
    name,
    keyId: keyIdOf(name, type, raw),
    type,
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
  }
}

function keyIdOf(name: string, type: NoteType, raw: Buffer): Buffer {
  const input = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), raw])
  return hash('sha256', input, 'buffer').subarray(0, 4)
}

/** `NAME+KEYID+KEY` (signed-note, "Verifier keys"). */
export function formatVkey({ name, keyId, type, publicKey }: NoteVerifier): string {
  const key = Buffer.concat([Buffer.of(type), rawEd25519(publicKey)])
  return `${name}+${keyId.toString('hex')}+${key.toString('base64')}`
}

/** @throws NoteError */
export function parseVkey(vkey: string): NoteVerifier {
  // Base64 may hold a plus itself: the key is all that follows the second one.
  const [, name, keyId, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(vkey) ?? []
  if (name === undefined || keyId === undefined || encoded === undefined || !NAME.test(name)) {
    throw new NoteError('a verifier key is NAME+KEYID+KEY')
  }
  const material = fromBase64(encoded)
  const type = material[0]
  if (material.length !== 33 || (type !== NOTE_TYPE.ed25519 && type !== NOTE_TYPE.cosignature)) {
    throw new NoteError('a verifier key is of Ed25519, for notes (01) or for cosignatures (04)')
  }
  const spki = Buffer.concat([SPKI_PREFIX, material.subarray(1)])
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const verifier = noteVerifier(name, publicKey, type)
  if (verifier.keyId.toString('hex') === keyId) return verifier
  throw new NoteError(`the key id of ${name} does not fit its key`)
}

/** Reads a note; nothing is verified. @throws NoteError */
export function parseNote(note: string): Note {
  if (Buffer.byteLength(note) > MAX_NOTE_BYTES) throw new NoteError('the note is too long')
  if (!note.isWellFormed() || hasControls(note)) {
    throw new NoteError('the note has control characters')
  }
  const end = note.lastIndexOf('\n\n')
  if (end === -1 || !note.endsWith('\n')) throw new NoteError('the note has no signatures')
  const lines = note.slice(end + 2, -1).split('\n')
  if (lines.length > MAX_SIGNATURES) throw new NoteError('the note has too many signatures')
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignatureLine) }
}

/** Whether there is one below U+0020 that is no newline (signed-note, "Format"). */
function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code < 0x20 && code !== 0x0a) return true
  }
  return false
}

/** @throws NoteError */
export function parseSignatureLine(line: string): NoteSignature {
  const [, name, encoded] = /^— ([^ ]+) ([^ ]+)$/.exec(line) ?? []
  if (name === undefined || encoded === undefined || !NAME.test(name)) {
    throw new NoteError('a signature line is — NAME SIGNATURE')
  }
  const bytes = fromBase64(encoded)
  if (bytes.length < 5) throw new NoteError('a signature is shorter than its key id')
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) }
}

export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${Buffer.concat([keyId, signature]).toString('base64')}`
}

export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  return `${text}\n${signatures.map((signature) => `${formatSignatureLine(signature)}\n`).join('')}`
}

export function isBy(signature: NoteSignature, { name, keyId }: NoteVerifier): boolean {
  return signature.name === name && signature.keyId.equals(keyId)
}

/** Signs by Ed25519 over the note's text (type 01). @param key private, of `signer`. */
export function signNote(text: string, signer: NoteVerifier, key: KeyObject): NoteSignature {
  const signature = sign(null, Buffer.from(text), key)
  return { name: signer.name, keyId: signer.keyId, signature }
}

/**
 * Verifies that one of `verifiers` (type 01) signed. Signatures of others are passed over.
 *
 * @returns those that did.
 * @throws NoteError when none did, or a signature that names a known key does not verify.
 */
export function verifyNote(note: Note, verifiers: readonly NoteVerifier[]): NoteVerifier[] {
  const text = Buffer.from(note.text)
  const signers = verifiers.filter((verifier) => {
    const own = note.signatures.filter((signature) => isBy(signature, verifier))
    for (const { signature } of own) {
      if (verify(null, text, verifier.publicKey, signature)) continue
      throw new NoteError(`the signature of ${verifier.name} does not verify`)
    }
    return own.length > 0
  })
  if (signers.length > 0) return signers
  const names = note.signatures.map(({ name }) => name).join(', ')
  throw new NoteError(`no known key signed the note; it is signed by ${names}`)
}

/** Standard Base64 with padding, in its one spelling. @throws NoteError */
export function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new NoteError('the text is not Base64')
  return bytes
}
