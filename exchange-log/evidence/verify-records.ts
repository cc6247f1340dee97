/** Checks of what the records in an archive say. */
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { readJson } from './description.ts'
import { erases } from './erasures.ts'
import { EvidenceError } from './evidence-errors.ts'
import {
  bodyFile,
  ERASURES,
  FILE,
  headersFile,
  isErasure,
  recordFile,
  type ExchangeDescription,
  type MessageName,
  type PartName,
} from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'
import type { SignedMessage } from './verify-messages.ts'

/** What a record says, as far as it is looked at; none of it is believed before it is proved. */
export type RecordSays = Readonly<Record<string, unknown>>

/** @throws EvidenceError `evidence.malformed`. */
export function readRecord(evidence: LoadedEvidence, part: PartName): RecordSays {
  const name = recordFile(part)
  const record = readJson(evidence, name)
  const isObject = typeof record === 'object' && record !== null && !Array.isArray(record)
  // Of a member that stands twice, readers take the one or the other.
  if (isObject && isCanonical(record, evidence.text(name))) return record as RecordSays
  throw new EvidenceError('evidence.malformed', `${name} is not an object in canonical JSON`)
}

function isCanonical(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text
  } catch {
    return false // a number with a fraction, or a lone surrogate
  }
}

/** What a record repeats of the manifest that it holds, by the names that both have. */
const OF_MANIFEST = {
  request: [
    ...['exchangeId', 'client', 'service', 'messageId', 'method', 'target'],
    ...['userId', 'issue', 'representedParty', 'purpose'],
  ],
  response: ['exchangeId', 'client', 'service', 'messageId', 'status'],
} as const

/** The record is about this exchange and this run of it, and says of the manifest what that says. */
export function checkRecord(
  record: RecordSays,
  description: ExchangeDescription,
  part: PartName,
  message: SignedMessage | undefined,
): string {
  const { exchangeId, side, records } = description
  const said = records.find((one) => one.part === part)!
  const wrong = (why: string): EvidenceError =>
    new EvidenceError('evidence.record-altered', `${recordFile(part)} ${why}`)
  const kind = isErasure(part) ? 'erasure' : part
  if (record.kind !== kind) throw wrong(`is of another kind, ${JSON.stringify(record.kind)}`)
  if (isErasure(part)) checkErasure(record, description, part)
  else {
    if (record.exchangeId !== exchangeId) throw wrong('is about another exchange')
    if (record.side !== side) throw wrong('is of the other side')
    const [first] = records
    const begunAt = first!.part === part ? undefined : first!.position
    if (record.begunAt !== begunAt) throw wrong('is of another run of the exchange')
    for (const name of ['client', 'service'] as const) {
      if (record[name] !== description[name] && record[name] !== undefined) {
        throw new EvidenceError(
          'evidence.description-wrong',
          `${FILE.exchange} has another ${name}`,
        )
      }
    }
  }
  if (record.manifest !== message?.jws) throw wrong('has another manifest than the archive')
  if (message !== undefined) checkRepeated(record, message, wrong)
  for (const name of ['recordedAt', 'at', 'kept'] as const) {
    if (record[name] === said[name]) continue
    throw new EvidenceError('evidence.description-wrong', `${FILE.exchange} has another ${name}`)
  }
  for (const name of ['client', 'service', 'peer'] as const) {
    if (part !== records[0]?.part || record[name] === description[name]) continue
    throw new EvidenceError('evidence.description-wrong', `${FILE.exchange} has another ${name}`)
  }
  return `position ${said.position}, recorded at ${String(record.recordedAt)}`
}

function checkRepeated(
  record: RecordSays,
  { part, manifest }: SignedMessage,
  wrong: (why: string) => EvidenceError,
): void {
  const signed = manifest as unknown as RecordSays
  for (const name of OF_MANIFEST[part]) {
    if (record[name] !== signed[name]) throw wrong(`has another ${name} than its manifest`)
  }
  if (record.bodyBytes !== signed.bodySize) throw wrong('has another size than its manifest')
}

/** What is said to be erased was: an event in the log says so. */
function checkErasure(record: RecordSays, { records }: ExchangeDescription, part: PartName): void {
  const erased = records.filter(({ position }) => erases(record.detail, position))
  if (erased.some(({ part: of }) => !isErasure(of))) return
  const why = `${recordFile(part)} erased nothing of this exchange`
  throw new EvidenceError('evidence.record-altered', why)
}

/** @throws EvidenceError `evidence.description-wrong` for content that is said to be erased, and no event erased. */
export function checkErased(
  evidence: LoadedEvidence,
  { records, absent }: ExchangeDescription,
  part: MessageName,
): void {
  const files: readonly string[] = [headersFile(part), bodyFile(part)]
  const said = absent.find(({ what, reason }) => reason === 'erased' && files.includes(what))
  if (said === undefined) return
  const position = records.find((one) => one.part === part)?.position ?? 0
  const events = ERASURES.filter((one) => records.some(({ part: of }) => of === one))
  if (events.some((one) => erases(readRecord(evidence, one).detail, position))) return
  const sentence = `${said.what} is said to be erased, and no erasure here erased it`
  throw new EvidenceError('evidence.description-wrong', sentence)
}

/** How far two clocks may differ, as gateways have it (§5.3, `signatureAgeSeconds`). */
const SKEW_MS = 300_000

/**
 * No message was signed outside of the run that its records tell of: certificates are judged as of then, so whoever
 * signs with a key that has run out or was revoked says an earlier time.
 */
export function checkSigningTime(
  { part, signedAt }: SignedMessage,
  { records }: ExchangeDescription,
): string {
  const begun = Date.parse(records[0]!.at)
  const recorded = Date.parse(records.find((one) => one.part === part)!.recordedAt)
  const isWithin =
    signedAt.getTime() >= begun - SKEW_MS - 1000 && signedAt.getTime() <= recorded + SKEW_MS
  if (isWithin) return 'signed while the exchange ran'
  const sentence = `${part} says that it was signed at ${signedAt.toISOString()}, and its records are of ${records[0]!.at} and ${new Date(recorded).toISOString()}`
  throw new EvidenceError('evidence.times-contradict', sentence)
}

/** What a time-stamp says to exist was not made later. */
export function checkStampTime(file: string, stampedAt: Date, madeAt: Date): void {
  if (stampedAt.getTime() >= madeAt.getTime() - SKEW_MS) return
  const sentence = `${file} says ${stampedAt.toISOString()}, and what it is about says ${madeAt.toISOString()}`
  throw new EvidenceError('evidence.times-contradict', sentence)
}
