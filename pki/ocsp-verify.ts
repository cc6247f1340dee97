import { createHash } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import { CertificateError, parseCertificate, type Certificate } from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, onlyChild, parseDer, TAG } from './der.ts'
import type { DerNode } from './der.ts'
import { readGeneralizedTime, readOctetString, readOid, readSmallInteger } from './der-values.ts'
import { readTaggedExtensions } from './extensions.ts'
import { isIssuedBy, readCertId, readNonce, type OcspCertId } from './ocsp-cert-id.ts'
import { refuseCritical } from './ocsp-request.ts'
import { OCSP_RESPONSE_STATUS } from './ocsp-response.ts'
import { OID } from './oids.ts'
import { linkSignatureFault } from './path.ts'
import { reasonOf, type RevocationReason } from './revocation-reason.ts'
import { readSignedFields, signatureFault, type SignedBytes } from './signature-algorithms.ts'

/** A verified statement about one certificate. */
export interface OcspStatus {
  /** `revoked` is for the caller to refuse: it may ask about a time before `revokedAt`. */
  readonly status: 'good' | 'revoked'
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revokedAt?: Date
  readonly reason?: RevocationReason
}

/** `was revoked at 2026-… (keyCompromise)`: the reason only when the authority says one. */
export function revocationWords({
  revokedAt,
  reason,
}: Pick<OcspStatus, 'revokedAt' | 'reason'>): string {
  const why = reason === undefined ? '' : ` (${reason})`
  return `was revoked at ${revokedAt?.toISOString()}${why}`
}

export interface OcspExpectation {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** The time as of which the answer must be fresh and its signer valid. */
  readonly at: Date
  /** When given, the answer must repeat it; with `optional`, only if it holds one at all (RFC 5019 §4). */
  readonly nonce?: Buffer
  readonly nonceIs?: 'required' | 'optional'
  /** How long after its `nextUpdate` an answer is still read: for one that was verified before. */
  readonly lateMs?: number
}

/** How far the clocks of responder and reader may differ. */
const TOLERANCE_MS = 5 * 60_000
const MAX_CERTIFICATES = 8

/**
 * Reads and verifies an OCSP answer (RFC 6960 §3.2), set by whoever handed it on.
 *
 * @throws ExchangeError `certificate.status-unknown` when the answer does not say, verifiably and
 * freshly, whether the certificate is good or revoked.
 */
export function verifyOcspResponse(der: Uint8Array, expected: OcspExpectation): OcspStatus {
  try {
    return readStatus(parseDer(der), expected)
  } catch (cause) {
    if (!(cause instanceof DerError) && !(cause instanceof CertificateError)) throw cause
    throw new ExchangeError(
      'certificate.status-unknown',
      `the revocation state of ${expected.certificate.subject} is not known: ${cause.message}`,
      { cause },
    )
  }
}

/** Says no in the class that verifyOcspResponse wraps into the one sentence. */
function refuse(reason: string): never {
  throw new DerError(reason)
}

function readStatus(response: DerNode, expected: OcspExpectation): OcspStatus {
  const { toBeSigned, certificates, ...signedBytes } = readBasicResponse(response)
  const data = readResponseData(toBeSigned)
  verifySigner(signedBytes, { certificates, ...data }, expected)
  checkNonce(data.nonce, expected)
  const { certificate, issuer } = expected
  const single = data.responses.find(
    ({ certId }) => certId.serial === certificate.serial && isIssuedBy(certId, issuer),
  )
  if (single === undefined) return refuse('the answer is about another certificate')
  checkFreshness(single, expected)
  const { certId: _, status, ...known } = single
  if (status === 'unknown') return refuse('its authority does not know it')
  return { status, ...known }
}

/** What an answer says about one certificate, by its serial number; nothing of it is verified. */
export interface OcspStatement extends Omit<OcspStatus, 'status'> {
  readonly serial: string
  readonly status: OcspStatus['status'] | 'unknown'
}

/**
 * Reads what an answer says, for people to look at: {@link verifyOcspResponse} says whether to believe it.
 *
 * @throws DerError, CertificateError when it is none, or says that the responder refused.
 */
export function readOcspStatements(der: Uint8Array): OcspStatement[] {
  const { toBeSigned } = readBasicResponse(parseDer(der))
  return readResponseData(toBeSigned).responses.map(({ certId: { serial }, ...statement }) => ({
    serial,
    ...statement,
  }))
}

/** When an answer was signed, by its own word (RFC 6960 §4.2.2.1). @throws DerError, CertificateError as above. */
export function readOcspProducedAt(der: Uint8Array): Date {
  return readResponseData(readBasicResponse(parseDer(der)).toBeSigned).producedAt
}

function readBasicResponse(response: DerNode) {
  const fields = fieldsOf(response)
  const status = readSmallInteger(fields.next(), TAG.enumerated)
  if (status !== OCSP_RESPONSE_STATUS.successful)
    refuse(`the responder answers with error ${status}`)
  const body = fieldsOf(onlyChild(fields.next(contextTag(0, 'constructed'))))
  fields.end()
  const type = readOid(body.next())
  if (type !== OID.ocspBasic) refuse(`the answer is of an unknown kind ${type}`)
  const basic = fieldsOf(parseDer(readOctetString(body.next())))
  body.end()
  const signed = readSignedFields(basic)
  const bag = basic.optional(contextTag(0, 'constructed'))
  basic.end()
  const certificates = bag === undefined ? [] : itemsOf(onlyChild(bag))
  if (certificates.length > MAX_CERTIFICATES) refuse('the answer holds too many certificates')
  return { ...signed, certificates: certificates.map(({ encoded }) => parseCertificate(encoded)) }
}

interface SingleResponse extends Omit<OcspStatus, 'status'> {
  readonly certId: OcspCertId
  readonly status: OcspStatus['status'] | 'unknown'
}

interface ResponderId {
  readonly keyHash?: Buffer
  readonly name?: Buffer
}

/** ResponseData of RFC 6960 §4.2.1. */
function readResponseData(node: DerNode) {
  const fields = fieldsOf(node)
  const version = fields.optional(contextTag(0, 'constructed'))
  if (version !== undefined && readSmallInteger(onlyChild(version)) !== 0) {
    refuse('the version of the answer is not 1')
  }
  const responder = readResponderId(fields.next())
  const producedAt = readGeneralizedTime(fields.next())
  const responses = itemsOf(fields.next()).map(readSingleResponse)
  const extensions = readTaggedExtensions(fields.optional(contextTag(1, 'constructed')))
  fields.end()
  refuseCritical(extensions)
  const nonce = extensions.get(OID.ocspNonce)
  return { responder, producedAt, responses, nonce: nonce && readNonce(nonce.value) }
}

function readResponderId(node: DerNode): ResponderId {
  if (node.tag === contextTag(1, 'constructed')) return { name: onlyChild(node).encoded }
  if (node.tag === contextTag(2, 'constructed')) {
    return { keyHash: readOctetString(onlyChild(node)) }
  }
  return refuse('the answer does not name its responder')
}

function readSingleResponse(node: DerNode): SingleResponse {
  const fields = fieldsOf(node)
  const certId = readCertId(fields.next())
  const status = readCertStatus(fields.next())
  const thisUpdate = readGeneralizedTime(fields.next())
  const next = fields.optional(contextTag(0, 'constructed'))
  refuseCritical(readTaggedExtensions(fields.optional(contextTag(1, 'constructed'))))
  fields.end()
  // RFC 5019 §2.2.4: without it nobody could say how long the answer may be kept
  if (next === undefined) return refuse('the answer does not say until when it holds')
  return { certId, ...status, thisUpdate, nextUpdate: readGeneralizedTime(onlyChild(next)) }
}

function readCertStatus(node: DerNode): Pick<SingleResponse, 'status' | 'revokedAt' | 'reason'> {
  if (node.tag === contextTag(1, 'constructed')) {
    const fields = fieldsOf(node, node.tag)
    const revokedAt = readGeneralizedTime(fields.next())
    const reason = fields.optional(contextTag(0, 'constructed'))
    fields.end()
    const number = reason === undefined ? 0 : readSmallInteger(onlyChild(reason), TAG.enumerated)
    return { status: 'revoked', revokedAt, reason: reasonOf(number) }
  }
  if (node.content.length > 0) refuse('the state in the answer is malformed')
  if (node.tag === contextTag(0, 'primitive')) return { status: 'good' }
  if (node.tag === contextTag(2, 'primitive')) return { status: 'unknown' }
  return refuse('the state in the answer is malformed')
}

/** RFC 9654 §2.1, RFC 5019 §4: a responder that answers from a store repeats no nonce. */
function checkNonce(given: Buffer | undefined, { nonce, nonceIs }: OcspExpectation): void {
  if (nonce === undefined || (given === undefined && nonceIs === 'optional')) return
  if (given?.equals(nonce) !== true) refuse('the answer does not repeat the nonce of the request')
}

/** RFC 6960 §3.2 (5) and (6) */
function checkFreshness(
  { thisUpdate, nextUpdate }: SingleResponse,
  { at, lateMs = 0 }: OcspExpectation,
): void {
  const now = at.getTime()
  if (thisUpdate.getTime() > now + TOLERANCE_MS) {
    refuse(`the answer holds from ${thisUpdate.toISOString()} on, and it is ${at.toISOString()}`)
  }
  if (nextUpdate.getTime() < now - TOLERANCE_MS - lateMs || nextUpdate < thisUpdate) {
    refuse(`the answer held until ${nextUpdate.toISOString()}, and it is ${at.toISOString()}`)
  }
}

/** RFC 6960 §4.2.2.2: the authority itself, or whom it delegated, and nobody else. */
function verifySigner(
  signedBytes: SignedBytes,
  answer: { readonly responder: ResponderId; readonly certificates: readonly Certificate[] },
  { issuer, at }: OcspExpectation,
): void {
  const signer = [issuer, ...answer.certificates].find((candidate) =>
    isNamed(answer.responder, candidate),
  )
  if (signer === undefined) return refuse('the answer lacks the certificate of its responder')
  if (signer.thumbprint !== issuer.thumbprint) checkDelegation(signer, issuer, at)
  const fault = signatureFault(signedBytes, signer.publicKey)
  if (fault !== undefined) refuse(`the answer is not accepted: ${fault}`)
}

function isNamed({ keyHash, name }: ResponderId, candidate: Certificate): boolean {
  if (name !== undefined) return name.equals(candidate.subjectDer)
  return keyHash?.equals(createHash('sha1').update(candidate.publicKeyBits).digest()) === true
}

function checkDelegation(signer: Certificate, issuer: Certificate, at: Date): void {
  const isChild = signer.issuerDer.equals(issuer.subjectDer)
  if (!isChild || linkSignatureFault(signer, issuer) !== undefined) {
    refuse('its responder has no certificate of the authority')
  }
  if (signer.extendedKeyUsage?.includes(OID.ocspSigning) !== true) {
    refuse('its responder may not sign OCSP answers')
  }
  if (signer.keyUsage?.has('digitalSignature') === false || signer.unknownCritical.length > 0) {
    refuse('the certificate of its responder is not for signing')
  }
  if (at < signer.notBefore || at > signer.notAfter) {
    refuse(`the certificate of its responder ended on ${signer.notAfter.toISOString()}`)
  }
}
