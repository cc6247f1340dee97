/** Signed contracts and statements: JWS in general JSON serialisation (protocol/README.md §13.2). */
import type { KeyObject } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import {
  contractDigest,
  isCanonical,
  parseContract,
  partiesOf,
  type Contract,
  type ContractParties,
  type ContractStatement,
} from './contract.ts'
import { ExchangeError, refusedAs } from './errors.ts'
import { SIGNATURE_ALGORITHMS, verifyJws, type ManifestHeader } from './jws.ts'

export const CONTRACT_TYPE = 'spean-contract'
export const CONTRACT_MEDIA_TYPE = 'application/jose+json'
/** Longest document, as text. */
export const MAX_CONTRACT_BYTES = 65_536

/** The protected header of each signature, all of it. */
export interface ContractHeader extends ManifestHeader {
  readonly typ: typeof CONTRACT_TYPE
}
export interface ContractSignature {
  readonly header: ContractHeader
  /** As they travel, base64url. */
  readonly protected: string
  readonly signature: string
}
export interface SignedDocument<
  T extends Contract | ContractStatement = Contract | ContractStatement,
> {
  readonly content: T
  /** Of the signed bytes. */
  readonly digest: string
  /** base64url. */
  readonly payload: string
  /** One or two, of different members. */
  readonly signatures: readonly ContractSignature[]
}

/** Member that answers for a signature. */
export const signersOf = ({ signatures }: SignedDocument): string[] =>
  signatures.map(({ header }) => header.kid)

/** What a signer signs (RFC 7515 §5.1), ASCII. */
export function contractSigningInput(header: ContractHeader, payload: string): string {
  return `${encode(JSON.stringify(header))}.${payload}`
}

/** A document with one more signature, made over {@link contractSigningInput}. */
export function addSignature<T extends Contract | ContractStatement>(
  unsigned: Omit<SignedDocument<T>, 'signatures'> & Partial<Pick<SignedDocument<T>, 'signatures'>>,
  header: ContractHeader,
  signature: Buffer,
): SignedDocument<T> {
  const added = {
    header,
    protected: encode(JSON.stringify(header)),
    signature: signature.toString('base64url'),
  }
  return { ...unsigned, signatures: [...(unsigned.signatures ?? []), added] }
}

/** What a content is before anybody signed it. @throws ExchangeError `contract.malformed`. */
export function unsignedDocument<T extends Contract | ContractStatement>(
  content: T,
): Omit<SignedDocument<T>, 'signatures'> {
  const text = canonicalOf(content)
  parseContract(Buffer.from(text, 'utf8')) // what is sent is what a receiver takes
  return { content, digest: contractDigest(text), payload: encode(text) }
}

function canonicalOf(content: Contract | ContractStatement): string {
  try {
    return canonicalJson(content)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new ExchangeError('contract.malformed', `it has no canonical form: ${cause.message}`)
  }
}

/** The text that travels. */
export function formatDocument({ payload, signatures }: SignedDocument): string {
  return canonicalJson({
    payload,
    signatures: signatures.map((one) => ({ protected: one.protected, signature: one.signature })),
  })
}

/**
 * Takes a document apart; no signature is verified yet.
 *
 * @throws ExchangeError `contract.malformed`; `contract.signer-unknown` when a member signs twice or, of a
 *   contract, one that is no party.
 */
export function parseDocument(text: string): SignedDocument {
  if (Buffer.byteLength(text) > MAX_CONTRACT_BYTES) throw malformed('it is too long')
  const { payload, signatures } = readSerialisation(text)
  const bytes = decodeStrictly(payload)
  const content = parseContract(bytes)
  const read = signatures.map(readSignature)
  if (content.kind !== 'contract' && read.length > 1) {
    throw malformed('a statement has one signature')
  }
  const document = { content, digest: contractDigest(bytes), payload, signatures: read }
  if (new Set(signersOf(document)).size !== read.length) {
    throw new ExchangeError('contract.signer-unknown', 'the same member signed twice')
  }
  if (content.kind === 'contract') verifyParties(document, partiesOf(content))
  return document
}

/**
 * Checks that the signers may say what they say: of a contract its parties; of a refusal its provider, of a
 * revocation one of them.
 *
 * @param parties of the contract itself, or of the one that a statement is about.
 * @throws ExchangeError `contract.signer-unknown`.
 */
export function verifyParties(document: SignedDocument, parties: ContractParties): void {
  const may = [parties.provider]
  if (document.content.kind !== 'refusal' && parties.client !== undefined) may.push(parties.client)
  for (const signer of signersOf(document)) {
    if (may.includes(signer)) continue
    const detail = `${signer} signed a ${document.content.kind} that is for ${may.join(' or ')} to sign`
    throw new ExchangeError('contract.signer-unknown', detail)
  }
}

/** @throws ExchangeError `contract.signature-invalid` unless `publicKey` made the signature. */
export function verifyContractSignature(
  { payload }: SignedDocument,
  { header, protected: head, signature }: ContractSignature,
  publicKey: KeyObject,
): void {
  refusedAs('contract.signature-invalid', undefined, () =>
    verifyJws(
      {
        header,
        payload: Buffer.from(payload, 'base64url'),
        signingInput: `${head}.${payload}`,
        signature: Buffer.from(signature, 'base64url'),
      },
      publicKey,
    ),
  )
}

/** The two documents of one content as one, with the signatures of both; undefined when `more` adds none. */
export function joinSignatures(
  held: SignedDocument,
  more: SignedDocument,
): SignedDocument | undefined {
  const signers = signersOf(held)
  const added = more.signatures.filter(({ header }) => !signers.includes(header.kid))
  return added.length === 0 ? undefined : { ...held, signatures: [...held.signatures, ...added] }
}

/** Whether all who have to sign a contract did (protocol/README.md §13.2). */
export function isSignedByAll(document: SignedDocument<Contract>): boolean {
  const { client, provider } = partiesOf(document.content)
  const signers = signersOf(document)
  const all = client === undefined ? [provider] : [client, provider]
  return all.every((member) => signers.includes(member))
}

interface Serialisation {
  readonly payload: string
  readonly signatures: readonly unknown[]
}

// Canonical here too: JSON with a member twice is read differently by different readers.
function readSerialisation(text: string): Serialisation {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
  const { payload, signatures } = (value ?? {}) as Partial<Serialisation>
  const good =
    hasExactly(value, ['payload', 'signatures']) &&
    typeof payload === 'string' &&
    Array.isArray(signatures) &&
    [1, 2].includes(signatures.length)
  if (!good) throw malformed('it is not a payload with one or two signatures')
  if (!isCanonical(value, text)) throw malformed('its serialisation is not canonical JSON')
  return { payload, signatures }
}

function readSignature(value: unknown): ContractSignature {
  const { protected: head, signature } = (value ?? {}) as Partial<ContractSignature>
  const good =
    hasExactly(value, ['protected', 'signature']) &&
    typeof head === 'string' &&
    typeof signature === 'string' &&
    signature !== ''
  if (!good) throw malformed('a signature is not of the profile')
  decodeStrictly(signature)
  return { header: readHeader(decodeStrictly(head)), protected: head, signature }
}

/** The last second of the year 9999: no later one has an RFC 3339 form. */
const MAX_IAT = 253_402_300_799

function readHeader(bytes: Buffer): ContractHeader {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw malformed('a header is not JSON')
  }
  const header = (value ?? {}) as Partial<ContractHeader>
  const { alg, iat, kid, typ } = header
  const good =
    hasExactly(value, ['alg', 'iat', 'kid', 'typ', 'x5t#S256']) &&
    SIGNATURE_ALGORITHMS.some((known) => known === alg) &&
    Number.isSafeInteger(iat) &&
    iat! >= 0 &&
    iat! <= MAX_IAT &&
    typeof kid === 'string' &&
    typ === CONTRACT_TYPE &&
    typeof header['x5t#S256'] === 'string'
  if (!good) throw malformed('a header is not of the profile')
  return header as ContractHeader
}

function hasExactly(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.keys(value).toSorted().join() === names.join()
}

// Buffer.from ignores what is not base64url: two spellings of one document must not both pass.
function decodeStrictly(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw malformed('a part is not base64url')
  return bytes
}

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url')

function malformed(why: string): ExchangeError {
  return new ExchangeError('contract.malformed', `the contract cannot be read: ${why}`)
}
