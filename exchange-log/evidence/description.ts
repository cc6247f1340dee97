import { Ajv, type JSONSchemaType } from 'ajv'
import { EvidenceError } from './evidence-errors.ts'
import {
  bodyFile,
  chainFile,
  CHAINS,
  ERASURES,
  FILE,
  headersFile,
  isErasure,
  jadesFile,
  manifestFile,
  MESSAGES,
  ocspFile,
  PARTS,
  proofFile,
  recordFile,
  saltFile,
  type Absence,
  type AbsenceReason,
  type ExchangeDescription,
} from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'
import { readChain } from './verify-certificates.ts'

const text = { type: 'string', maxLength: 4096 } as const
const instant = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
} as const
const level = { enum: ['B-B', 'B-T', 'B-LT'] } as const
const reasons: readonly AbsenceReason[] = ['not-kept', 'erased', 'altered', 'missing']
const SCHEMA = {
  type: 'object',
  required: ['version', 'exchangeId', 'origin', 'side', 'madeAt', 'records', 'jades', 'absent'],
  properties: {
    version: { const: 1 },
    exchangeId: { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' },
    origin: text,
    client: text,
    service: text,
    peer: text,
    side: { enum: ['client', 'provider'] },
    records: {
      type: 'array',
      minItems: 1,
      maxItems: PARTS.length,
      items: {
        type: 'object',
        required: ['part', 'position', 'at', 'recordedAt'],
        properties: {
          part: { enum: PARTS },
          position: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
          at: instant,
          recordedAt: instant,
          kept: text,
        },
      },
    },
    jades: { type: 'object', properties: { request: level, response: level } },
    checkpoint: {
      type: 'object',
      required: ['size', 'at'],
      properties: { size: { type: 'integer' }, at: text, witnessedAt: text },
    },
    timeStamp: {
      type: 'object',
      required: ['authority', 'genTime', 'serial'],
      properties: { authority: text, genTime: text, serial: text },
    },
    absent: {
      type: 'array',
      maxItems: 100,
      items: {
        type: 'object',
        required: ['what', 'reason', 'detail'],
        properties: { what: text, reason: { enum: reasons }, detail: text },
      },
    },
  },
} as unknown as JSONSchemaType<ExchangeDescription>
const isDescription = new Ajv().compile(SCHEMA)

/** @throws EvidenceError `evidence.malformed`. */
export function readDescription(evidence: LoadedEvidence): ExchangeDescription {
  const value = readJson(evidence, FILE.exchange)
  if (isDescription(value)) {
    checkParts(value)
    // Of a member that stands twice, readers take the one or the other.
    if (`${JSON.stringify(value, undefined, 2)}\n` === evidence.text(FILE.exchange)) return value
    throw new EvidenceError('evidence.malformed', `${FILE.exchange} is not written as §12.6 says`)
  }
  const why = isDescription.errors?.[0]
  throw new EvidenceError(
    'evidence.malformed',
    `${FILE.exchange} ${why?.instancePath ?? ''} ${why?.message ?? 'is not of its form'}`,
  )
}

/** The parts of one run: what it began with, how it ended, what was erased of it. */
const RUNS: readonly string[] = ['request', 'request response', 'request refusal', 'refusal']

function checkParts({ records }: ExchangeDescription): void {
  const parts = records.map(({ part }) => part)
  const erasures = parts.filter(isErasure)
  const run = parts.slice(0, parts.length - erasures.length)
  const isRun = RUNS.includes(run.join(' '))
  if (
    isRun &&
    erasures.every((part, i) => part === ERASURES[i] && parts[run.length + i] === part)
  ) {
    return
  }
  const sentence = `${FILE.exchange} has parts that are no exchange: ${parts.join(', ')}`
  throw new EvidenceError('evidence.malformed', sentence)
}

/** @throws EvidenceError `evidence.malformed`. */
export function readJson(evidence: LoadedEvidence, name: string): unknown {
  try {
    return JSON.parse(evidence.text(name))
  } catch (cause) {
    if (cause instanceof EvidenceError) throw cause
    throw new EvidenceError('evidence.malformed', `${name} is not JSON`, { cause })
  }
}

/**
 * Everything is there, or is said not to be, and nothing is both.
 *
 * @param signed messages whose record has a manifest.
 * @throws EvidenceError `evidence.file-missing`, `evidence.description-wrong`.
 */
export function checkPresence(
  evidence: LoadedEvidence,
  { records, absent, jades }: ExchangeDescription,
  signed: readonly (typeof MESSAGES)[number][],
): void {
  const parts = records.map(({ part }) => part)
  const always = [
    FILE.verify,
    FILE.exchange,
    FILE.policy,
    ...parts.flatMap((part) => [recordFile(part), saltFile(part)]),
    ...signed.flatMap((part) => [manifestFile(part), jadesFile(part)]),
  ]
  const orSaid = [
    FILE.checkpoint,
    // Without a checkpoint there is nothing for them to be about.
    ...(evidence.has(FILE.checkpoint) ? [FILE.timeStamp, ...parts.map(proofFile)] : []),
    ...signed.flatMap((part) => [headersFile(part), bodyFile(part)]),
    ...signed.map((part) => chainFile(`${part}-signer`)),
    ...signed
      .filter((part) => evidence.has(chainFile(`${part}-signer`)))
      .map((part) => ocspFile(`${part}-signer`, 0)),
    ...(evidence.has(FILE.timeStamp) ? [chainFile('time-stamp')] : []),
    ...signed.filter((part) => jades[part] !== 'B-B').map((part) => chainFile(`${part}-stamp`)),
  ]
  const said = new Map(absent.map((one) => [one.what, one]))
  for (const name of always) evidence.file(name)
  for (const name of orSaid) if (!said.has(name)) evidence.file(name)
  checkNeeded(evidence, [...always, ...orSaid])
  for (const { what, reason } of absent) {
    if (evidence.has(what)) {
      throw new EvidenceError('evidence.description-wrong', `${what} is here, and said not to be`)
    }
    checkReason(what, reason)
  }
}

/** A file that nothing here is proved by would be believed because it lies beside those that are. */
function checkNeeded(evidence: LoadedEvidence, names: readonly string[]): void {
  const chains = CHAINS.filter((chain) => names.includes(chainFile(chain)))
  const needed = new Set([
    FILE.sums,
    ...names,
    ...chains
      .filter((chain) => evidence.has(chainFile(chain)))
      .flatMap((chain) =>
        // A root vouches for itself.
        readChain(evidence, chain)
          .slice(1)
          .map((_, place) => ocspFile(chain, place)),
      ),
  ])
  const extra = evidence.names.find((name) => !needed.has(name))
  if (extra === undefined) return
  throw new EvidenceError('evidence.file-extra', `nothing in ${FILE.exchange} needs ${extra}`)
}

/** Only what messages say can be kept or erased by rule: what proves them cannot. */
function checkReason(what: string, reason: AbsenceReason): void {
  const isContent = MESSAGES.some((part) => what === headersFile(part) || what === bodyFile(part))
  if (isContent || reason === 'missing') return
  const sentence = `${what} is said to be ${reason}, which only header blocks and bodies can be`
  throw new EvidenceError('evidence.description-wrong', sentence)
}

/** What `kept` of a record says must fit what is said of its content. @throws EvidenceError */
export function checkKept(
  kept: unknown,
  part: (typeof MESSAGES)[number],
  absent: readonly Absence[],
) {
  const keeps = { headers: kept === 'full' || kept === 'digest', body: kept === 'full' }
  for (const [name, isKept] of [
    [headersFile(part), keeps.headers],
    [bodyFile(part), keeps.body],
  ] as const) {
    const said = absent.find(({ what }) => what === name)
    if (said === undefined || (said.reason === 'not-kept') !== isKept) continue
    const sentence = `${name} is said to be ${said.reason}, and the record says that ${isKept ? 'it was' : 'nothing was'} kept`
    throw new EvidenceError('evidence.description-wrong', sentence)
  }
}
