import { parseCheckpoint, type Checkpoint } from '../../protocol/checkpoint.ts'
import {
  isBy,
  NoteError,
  parseSignatureLine,
  verifyNote,
  type NoteVerifier,
} from '../../protocol/signed-note.ts'
import { judgeCosignatures, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import type { StoredCheckpoint } from '../tree-store.ts'
import type { Report } from './finding.ts'

export interface CheckpointTrust {
  readonly logKey: NoteVerifier
  readonly policy: TlogPolicy | undefined
}
/** A checkpoint that the log's key signed. */
export interface TrustedCheckpoint extends Checkpoint {
  /** Whether the policy's quorum cosigned it; undefined without a policy. */
  readonly isWitnessed: boolean | undefined
}

/** Checks what can be checked of a checkpoint without the tree. @returns undefined when it is not to be believed. */
export function checkCheckpoint(
  { size, rootHash, note, cosignatures }: StoredCheckpoint,
  { logKey, policy }: CheckpointTrust,
  report: Report,
): TrustedCheckpoint | undefined {
  const position = size
  let checkpoint: Checkpoint
  try {
    checkpoint = parseCheckpoint(note)
  } catch (error) {
    if (!(error instanceof NoteError)) throw error
    const detail = `the checkpoint of ${size} cannot be read: ${error.message}`
    report({ code: 'checkpoint.altered', position, detail })
    return undefined
  }
  if (!isSigned(checkpoint, logKey, position, report)) return undefined
  if (checkpoint.size !== size || !checkpoint.rootHash.equals(rootHash)) {
    const detail = `the checkpoint kept for ${size} says ${checkpoint.size}, or another root`
    report({ code: 'checkpoint.altered', position, detail })
    return undefined
  }
  const isWitnessed = policy && checkCosignatures(checkpoint, cosignatures, policy, report)
  return { ...checkpoint, isWitnessed }
}

/** A checkpoint that somebody else kept. @throws NoteError when the log's key did not sign it. */
export function readForeignCheckpoint(text: string, logKey: NoteVerifier): Checkpoint {
  const checkpoint = parseCheckpoint(text)
  verifyNote(checkpoint.note, [logKey])
  if (checkpoint.origin === logKey.name) return checkpoint
  throw new NoteError(`the checkpoint is one of ${checkpoint.origin}, not of ${logKey.name}`)
}

function isSigned(
  { origin, size, note }: Checkpoint,
  logKey: NoteVerifier,
  position: number,
  report: Report,
): boolean {
  if (origin !== logKey.name || !note.signatures.some((signature) => isBy(signature, logKey))) {
    const by = note.signatures.map(({ name }) => name).join(', ')
    const detail = `the checkpoint of ${size} is of ${origin}, signed by ${by}; the key is of ${logKey.name}`
    report({ code: 'checkpoint.unsigned', position, detail })
    return false
  }
  try {
    verifyNote(note, [logKey])
    return true
  } catch (error) {
    if (!(error instanceof NoteError)) throw error
    const detail = `the checkpoint of ${size}: ${error.message}`
    report({ code: 'checkpoint.altered', position, detail })
    return false
  }
}

function checkCosignatures(
  checkpoint: Checkpoint,
  lines: readonly string[],
  policy: TlogPolicy,
  report: Report,
): boolean {
  const position = checkpoint.size
  try {
    const signatures = [...checkpoint.note.signatures, ...lines.map(parseSignatureLine)]
    return judgeCosignatures({ ...checkpoint, note: { ...checkpoint.note, signatures } }, policy)
      .isEnough
  } catch (error) {
    if (!(error instanceof NoteError)) throw error
    const detail = `the checkpoint of ${checkpoint.size}: ${error.message}`
    report({ code: 'cosignature.invalid', position, detail })
    return false
  }
}
