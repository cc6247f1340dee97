/** Checks of records, tree, witnesses and time-stamp in an archive. */
import { checkpointText, parseCheckpoint, type Checkpoint } from '../../protocol/checkpoint.ts'
import { leafHash, MerkleError } from '../../protocol/merkle-tree.ts'
import { NoteError, verifyNote } from '../../protocol/signed-note.ts'
import { judgeCosignatures, parsePolicy, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts'
import { countText } from '../../runtime/count-text.ts'
import { commitmentOf, SALT_BYTES } from '../record.ts'
import { EvidenceError, type EvidenceErrorCode } from './evidence-errors.ts'
import {
  FILE,
  proofFile,
  recordFile,
  saltFile,
  type ExchangeDescription,
  type PartName,
} from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'
import { checkTimeStamp } from './verify-certificates.ts'
import { checkStampTime } from './verify-records.ts'

function asNote<T>(code: EvidenceErrorCode, what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (!(cause instanceof NoteError) && !(cause instanceof MerkleError)) throw cause
    throw new EvidenceError(code, `${what}: ${cause.message}`, { cause })
  }
}

/** @throws EvidenceError `evidence.malformed`. */
export function readPolicy(text: string, name: string): TlogPolicy {
  return asNote('evidence.malformed', name, () => parsePolicy(text))
}

/** Signed by the log that the policy names for its origin. */
export function checkCheckpoint(
  evidence: LoadedEvidence,
  policy: TlogPolicy,
  code: EvidenceErrorCode,
): { readonly checkpoint: Checkpoint; readonly says: string } {
  const { checkpoint: name } = FILE
  const checkpoint = asNote('evidence.malformed', name, () => parseCheckpoint(evidence.text(name)))
  const { origin, size, note } = checkpoint
  const keys = policy.logs.map(({ verifier }) => verifier).filter((key) => key.name === origin)
  if (keys.length === 0) throw new EvidenceError(code, `the policy has no log ${origin}`)
  asNote('evidence.checkpoint-invalid', name, () => verifyNote(note, keys))
  return { checkpoint, says: `${countText(size, 'record')}, signed by ${origin}` }
}

/** As many witnesses as the policy asks for. */
export function checkWitnesses(
  checkpoint: Checkpoint,
  policy: TlogPolicy,
  { isAbsent, code }: { readonly isAbsent: boolean; readonly code: EvidenceErrorCode },
): string {
  const { isEnough, by } = asNote('evidence.checkpoint-invalid', FILE.checkpoint, () =>
    judgeCosignatures(checkpoint, policy),
  )
  const names = by.map(({ name, at }) => `${name} at ${at.toISOString()}`).join(', ')
  if (isEnough) {
    return policy.quorum === 'none'
      ? `the policy asks for none${names === '' ? '' : `; ${names}`}`
      : names
  }
  const sentence = `${by.length} cosigned (${names || 'none'}), which is not ${policy.quorum}`
  if (!isAbsent) throw new EvidenceError(code, sentence)
  return sentence
}

/** The record, by its salt, is the entry of the tree at its position. */
export function checkInclusion(
  evidence: LoadedEvidence,
  { records }: ExchangeDescription,
  part: PartName,
  checkpoint: Checkpoint,
): string {
  const name = proofFile(part)
  const proof = asNote('evidence.malformed', name, () => parseTlogProof(evidence.text(name)))
  const position = records.find((one) => one.part === part)?.position
  if (proof.index + 1 !== position) {
    throw new EvidenceError('evidence.proof-invalid', `${name} is about another position`)
  }
  if (proof.checkpoint !== evidence.text(FILE.checkpoint)) {
    throw new EvidenceError('evidence.proof-invalid', `${name} is about another checkpoint`)
  }
  const salt = evidence.bytes(saltFile(part))
  if (salt.length !== SALT_BYTES) {
    throw new EvidenceError('evidence.malformed', `${saltFile(part)} has not ${SALT_BYTES} bytes`)
  }
  const leaf = leafHash(commitmentOf(salt, evidence.text(recordFile(part))))
  asNote('evidence.proof-invalid', `${recordFile(part)} is not in the tree`, () => {
    verifyTlogProof({ ...proof, parsed: checkpoint }, leaf)
  })
  return `entry ${proof.index} of ${checkpoint.size}`
}

/** The checkpoint, and so all records in it, existed at that time. */
export function checkLogTimeStamp(
  evidence: LoadedEvidence,
  { records, timeStamp }: ExchangeDescription,
  checkpoint: Checkpoint,
): string {
  const token = evidence.bytes(FILE.timeStamp)
  const place = { file: FILE.timeStamp, chain: 'time-stamp' } as const
  const { genTime, serial, tsa } = checkTimeStamp(
    evidence,
    place,
    token,
    checkpointText(checkpoint),
  )
  for (const { recordedAt } of records) {
    checkStampTime(FILE.timeStamp, genTime, new Date(recordedAt))
  }
  if (timeStamp?.genTime !== genTime.toISOString() || timeStamp.serial !== serial) {
    const sentence = `${FILE.exchange} tells of another time-stamp`
    throw new EvidenceError('evidence.description-wrong', sentence)
  }
  return `the checkpoint existed at ${genTime.toISOString()}, says ${tsa.subject}`
}
