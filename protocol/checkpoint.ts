/** Checkpoints (C2SP tlog-checkpoint v1.0.0) and their cosignatures (C2SP tlog-cosignature, Ed25519). */
import { sign, verify, type KeyObject } from 'node:crypto'
import { formatId, type GatewayId } from './identifiers.ts'
import { EMPTY_ROOT, HASH_BYTES } from './merkle-tree.ts'
import {
  fromBase64,
  NoteError,
  parseNote,
  type Note,
  type NoteSignature,
  type NoteVerifier,
} from './signed-note.ts'

export interface TreeHead {
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly rootHash: Buffer
}
export interface Checkpoint extends TreeHead {
  readonly note: Note
}

/** The origin of a gateway's log, and name of its key. @param number of the log: a lost one is followed by another. */
export function logOrigin(gateway: GatewayId, number = 1): string {
  return `spean/${formatName(gateway)}/log${number === 1 ? '' : number}`
}
/** Whether `origin` is a log of the gateway: its first, or one that followed a lost one. */
export function isLogOf(gateway: GatewayId, origin: string): boolean {
  const first = logOrigin(gateway)
  return origin.startsWith(first) && /^([2-9]|[1-9]\d{1,3})?$/.test(origin.slice(first.length))
}
/** The name of a gateway's key as a witness. */
export function witnessName(gateway: GatewayId): string {
  return `spean/${formatName(gateway)}/witness`
}
export function catalogueWitnessName(instance: string): string {
  return `spean/${encodeURIComponent(instance)}/witness`
}
/** Key names have neither spaces nor plus; identifiers may. */
function formatName(gateway: GatewayId): string {
  return formatId(gateway).split('/').map(encodeURIComponent).join('/')
}

/** The text of a checkpoint, which is what the log signs and a time-stamp is about. */
export function checkpointText({ origin, size, rootHash }: TreeHead): string {
  return `${origin}\n${size}\n${rootHash.toString('base64')}\n`
}

/**
 * Reads a checkpoint; no signature is verified.
 *
 * @param text set by whoever sent it.
 * @throws NoteError for what is not one, and for an empty tree with a root.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const note = parseNote(text)
  const [origin, size, root, ...extensions] = note.text.slice(0, -1).split('\n')
  const hasEmptyLine = extensions.some((line) => line === '')
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size ?? '') || root === undefined || hasEmptyLine) {
    throw new NoteError('a checkpoint has three lines: origin, tree size, root hash')
  }
  const rootHash = fromBase64(root)
  if (rootHash.length !== HASH_BYTES) throw new NoteError('a root hash has 32 bytes')
  if (!Number.isSafeInteger(Number(size))) throw new NoteError('the tree size is too large')
  if (size === '0' && !rootHash.equals(EMPTY_ROOT)) {
    throw new NoteError('the root of the empty tree is the hash of nothing')
  }
  return { origin, size: Number(size), rootHash, note }
}

/** A cosignature that says: as of `at` this is the largest tree of its origin that the witness has seen. */
export function cosign(
  text: string,
  witness: NoteVerifier,
  key: KeyObject,
  at: Date,
): NoteSignature {
  const seconds = Math.floor(at.getTime() / 1000)
  const timestamp = Buffer.alloc(8)
  timestamp.writeBigUInt64BE(BigInt(seconds))
  const signature = sign(null, cosignedMessage(text, BigInt(seconds)), key)
  const { name, keyId } = witness
  return { name, keyId, signature: Buffer.concat([timestamp, signature]) }
}

/**
 * @returns the time that the witness says.
 * @throws NoteError when the cosignature has another form or does not verify.
 */
export function verifyCosignature(
  text: string,
  { signature }: NoteSignature,
  witness: NoteVerifier,
): Date {
  if (signature.length !== 8 + 64) throw new NoteError('a cosignature has 72 bytes')
  const seconds = signature.readBigUInt64BE()
  if (seconds === 0n || seconds > 253_402_300_799n) {
    throw new NoteError('the time of a cosignature is none')
  }
  const message = cosignedMessage(text, seconds)
  if (verify(null, message, witness.publicKey, signature.subarray(8))) {
    return new Date(Number(seconds) * 1000)
  }
  throw new NoteError(`the cosignature of ${witness.name} does not verify`)
}

/** tlog-cosignature, "Ed25519 signed message". */
function cosignedMessage(text: string, seconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`)
}
