/** What a log sends to a witness (C2SP tlog-witness, "add-checkpoint"). */
import { parseCheckpoint, type Checkpoint } from '../protocol/checkpoint.ts'
import { EMPTY_ROOT, HASH_BYTES } from '../protocol/merkle-tree.ts'
import { fromBase64, NoteError } from '../protocol/signed-note.ts'

export interface Submission {
  /** Size of the tree that the witness cosigned last, as the log believes. */
  readonly oldSize: number
  readonly proof: readonly Buffer[]
  readonly checkpoint: Checkpoint
}

/** The checkpoint of an empty tree has a root; it has an answer of its own. */
export class EmptyTreeError extends NoteError {}

/** No tree that can be counted needs a longer proof. */
export const MOST_PROOF_LINES = 63

export function formatSubmission(oldSize: number, proof: readonly Buffer[], note: string): string {
  const lines = proof.map((hash) => `${hash.toString('base64')}\n`).join('')
  return `old ${oldSize}\n${lines}\n${note}`
}

/** Reads a submission; nothing is verified. @param text set by anybody. @throws NoteError */
export function parseSubmission(text: string): Submission {
  const end = text.indexOf('\n\n')
  if (end === -1) throw new NoteError('there is no empty line before the checkpoint')
  const [first, ...lines] = text.slice(0, end).split('\n')
  const [, oldSize] = /^old (0|[1-9]\d{0,15})$/.exec(first ?? '') ?? []
  if (oldSize === undefined || !Number.isSafeInteger(Number(oldSize))) {
    throw new NoteError('the first line is not old SIZE')
  }
  if (lines.length > MOST_PROOF_LINES) throw new NoteError('the proof has more than 63 lines')
  const proof = lines.map((line) => {
    const hash = fromBase64(line)
    if (hash.length !== HASH_BYTES) throw new NoteError('a hash of the proof has not 32 bytes')
    return hash
  })
  const note = text.slice(end + 2)
  const [, size, root] = note.split('\n', 3)
  if (size === '0' && root !== EMPTY_ROOT.toString('base64')) {
    throw new EmptyTreeError('the root of the empty tree is the hash of nothing')
  }
  return { oldSize: Number(oldSize), proof, checkpoint: parseCheckpoint(note) }
}
