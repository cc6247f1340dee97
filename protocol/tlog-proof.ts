/** Proofs of logging in one file (C2SP tlog-proof v1): index, inclusion proof, checkpoint. */
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts'
import { HASH_BYTES, verifyInclusion } from './merkle-tree.ts'
import { fromBase64, NoteError } from './signed-note.ts'

export interface TlogProof {
  /** Of the entry in the log, from 0. */
  readonly index: number
  readonly inclusion: readonly Buffer[]
  /** The checkpoint as it was issued, with the cosignatures it had. */
  readonly checkpoint: string
}
export interface ParsedTlogProof extends TlogProof {
  readonly parsed: Checkpoint
}

const HEADER = 'c2sp.org/tlog-proof@v1'
const MOST_HASHES = 63

export function formatTlogProof({ index, inclusion, checkpoint }: TlogProof): string {
  const hashes = inclusion.map((hash) => `${hash.toString('base64')}\n`).join('')
  return `${HEADER}\nindex ${index}\n${hashes}\n${checkpoint}`
}

/** Reads a proof; nothing is verified. @throws NoteError */
export function parseTlogProof(text: string): ParsedTlogProof {
  const end = text.indexOf('\n\n')
  const [header, ...lines] = text.slice(0, Math.max(0, end)).split('\n')
  if (end === -1 || header !== HEADER) throw new NoteError('the proof does not begin as one')
  // Nobody vouches for what a proof says beside itself: it is passed over.
  if (lines[0]?.startsWith('extra ')) fromBase64(lines.shift()!.slice('extra '.length))
  const [position, ...hashes] = lines
  const [, index] = /^index (0|[1-9]\d{0,15})$/.exec(position ?? '') ?? []
  if (index === undefined || !Number.isSafeInteger(Number(index))) {
    throw new NoteError('the proof has no index')
  }
  if (hashes.length > MOST_HASHES) throw new NoteError('the proof is too long')
  const inclusion = hashes.map((line) => {
    const hash = fromBase64(line)
    if (hash.length !== HASH_BYTES) throw new NoteError('a hash of the proof has not 32 bytes')
    return hash
  })
  const checkpoint = text.slice(end + 2)
  return { index: Number(index), inclusion, checkpoint, parsed: parseCheckpoint(checkpoint) }
}

/** @param leaf hash of the entry. @throws MerkleError */
export function verifyTlogProof({ index, inclusion, parsed }: ParsedTlogProof, leaf: Buffer): void {
  verifyInclusion(inclusion, { index, size: parsed.size, leaf }, parsed.rootHash)
}
