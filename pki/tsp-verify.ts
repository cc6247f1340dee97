import { createHash } from 'node:crypto'
import { ExchangeError } from '../protocol/errors.ts'
import { CertificateError, type Certificate } from './certificate.ts'
import {
  parseSignedData,
  readContentType,
  readMessageDigest,
  type ParsedSignedData,
} from './cms-signed-data.ts'
import { DerError, fieldsOf, parseDer, TAG, type DerNode } from './der.ts'
import { isNamedBy, readSigningCertificate } from './ess-cert-id.ts'
import { OID } from './oids.ts'
import { verifyPath } from './path.ts'
import { purposeFault } from './purpose.ts'
import { hashBytes, type TspHash } from './tsp-hash.ts'
import { nonceContent } from './tsp-request.ts'
import { readStatusInfo } from './tsp-status.ts'
import { parseTstInfo, type TstInfo } from './tst-info.ts'

/** A verified time-stamp. */
export interface TimeStamp {
  readonly genTime: Date
  /** Lower-case hex, unique for its authority. */
  readonly serial: string
  readonly policy: string
  /** Undefined when the authority does not say how exact it is. */
  readonly accuracyMs: number | undefined
  /** The certificate that the token is signed with. */
  readonly tsa: Certificate
  /** From that certificate to an anchor. */
  readonly path: readonly Certificate[]
  /** The token alone, DER: what is kept. */
  readonly token: Buffer
}

export interface TimeStampExpectation {
  readonly hash: TspHash
  readonly digest: Uint8Array
  /** Random bytes of the request, when it had some: the token must repeat them. */
  readonly nonce?: Uint8Array
  /** When given, the token must be under it. */
  readonly policy?: string
  /** What the signing certificate must be, or must lead to. */
  readonly anchors: readonly Certificate[]
  /** The time as of which certificates must be valid: now for a new token, its genTime for an old one. */
  readonly at: Date
  /** When given, genTime must be within it of `at`. */
  readonly toleranceMs?: number
}

/**
 * Reads and verifies a token, or an answer with one, from whoever sent it (RFC 3161 §2.2, §2.4.2; RFC 5652 §5.6).
 *
 * @throws ExchangeError `timestamp.refused` when the authority gave no token, with its reason;
 * `timestamp.untrusted` when the signer has no path to the anchors, or may not sign time-stamps;
 * `timestamp.invalid` for everything else.
 */
export function verifyTimeStamp(der: Uint8Array, expected: TimeStampExpectation): TimeStamp {
  try {
    const token = tokenOf(parseDer(der))
    const signedData = parseSignedData(token)
    if (signedData.contentType !== OID.tstInfo) invalid('it holds no TSTInfo')
    const info = parseTstInfo(signedData.content)
    checkAnswer(info, expected)
    const path = verifySigner(signedData, expected)
    const tsa = path[0]!
    checkSigner(info, tsa)
    const { genTime, serial, policy, accuracyMs } = info
    return { genTime, serial, policy, accuracyMs, tsa, path, token }
  } catch (cause) {
    if (!(cause instanceof DerError) && !(cause instanceof CertificateError)) throw cause
    return invalid(cause.message, cause)
  }
}

function invalid(reason: string, cause?: unknown): never {
  throw new ExchangeError('timestamp.invalid', `the time-stamp is not accepted: ${reason}`, {
    cause,
  })
}

/** DER of the token: the input itself, or what a TimeStampResp (§2.4.2) holds. */
function tokenOf(node: DerNode): Buffer {
  if (node.children[0]?.tag === TAG.oid) return node.encoded
  const fields = fieldsOf(node)
  const status = readStatusInfo(fields.next(TAG.sequence))
  const token = fields.optional(TAG.sequence)
  fields.end()
  if (!status.isGranted) throw new ExchangeError('timestamp.refused', `it says ${status.text}`)
  if (token === undefined) throw new DerError('the answer is granted, and holds no token')
  return token.encoded
}

/** §2.2: the token is about what was asked, and asked now. */
function checkAnswer(info: TstInfo, expected: TimeStampExpectation): void {
  const { hash, digest, nonce, policy, at, toleranceMs } = expected
  if (digest.length !== hashBytes(hash)) throw new TypeError(`the digest is not one of ${hash}`)
  if (info.imprint.hash !== hash || !info.imprint.digest.equals(digest)) {
    invalid('it is about other data')
  }
  if (nonce !== undefined && info.nonce?.equals(nonceContent(nonce)) !== true) {
    invalid('it does not repeat the nonce of the request')
  }
  if (policy !== undefined && info.policy !== policy) {
    invalid(`it is under the policy ${info.policy} instead of ${policy}`)
  }
  const offMs = Math.abs(info.genTime.getTime() - at.getTime()) - (info.accuracyMs ?? 0)
  if (toleranceMs !== undefined && offMs > toleranceMs) {
    invalid(`it says ${info.genTime.toISOString()}, and the time here is ${at.toISOString()}`)
  }
}

/** RFC 5652 §5.4, §5.6, and RFC 5816 §2.2.1: who signed, and that it is signed. @returns the signer's path. */
function verifySigner(signedData: ParsedSignedData, expected: TimeStampExpectation): Certificate[] {
  const { anchors, at } = expected
  const { content, digest, certificates } = signedData
  if (readContentType(signedData) !== OID.tstInfo) invalid('its content type is not signed')
  const stated = readMessageDigest(signedData)
  if (stated?.equals(createHash(digest).update(content).digest()) !== true) {
    invalid('what is signed is not its content')
  }
  const signer = [...certificates, ...anchors].find(signedData.isSigner)
  if (signer === undefined) {
    throw new ExchangeError(
      'timestamp.untrusted',
      'the certificate it is signed with is neither approved nor sent along',
    )
  }
  checkNamed(signedData, signer)
  const fault = signedData.faultUnder(signer)
  if (fault !== undefined) invalid(fault)
  return verifyTrust(signer, { anchors, intermediates: certificates, at })
}

/**
 * The signed attribute that names the signer: without it the certificate could be exchanged for another
 * one of the same key. RFC 5816 §2.2.1 keeps ESSCertID beside ESSCertIDv2, and many authorities still
 * send it alone: its SHA-1 names a certificate that is verified by itself, and protects nothing more.
 */
function checkNamed({ attributes }: ParsedSignedData, signer: Certificate): void {
  const first = attributes.get(OID.signingCertificate)
  const second = attributes.get(OID.signingCertificateV2)
  const ids = [
    ...(first ? [readSigningCertificate(first, 1)] : []),
    ...(second ? [readSigningCertificate(second, 2)] : []),
  ]
  if (ids.length === 0) invalid('it does not name its signing certificate')
  if (!ids.every((id) => isNamedBy(signer, id))) invalid('it names another signing certificate')
}

function verifyTrust(
  signer: Certificate,
  path: { anchors: readonly Certificate[]; intermediates: readonly Certificate[]; at: Date },
): Certificate[] {
  const { subject, notBefore, notAfter } = signer
  const untrusted = (why: string, cause?: unknown): never => {
    const which = `it is signed with the certificate of ${subject}, which ends on ${notAfter.toISOString()}`
    throw new ExchangeError('timestamp.untrusted', `${which}: ${why}`, { cause })
  }
  // An authority may be approved by its own certificate instead of its issuer's.
  if (path.anchors.some(({ thumbprint }) => thumbprint === signer.thumbprint)) {
    const fault = purposeFault(signer, 'time-stamping')
    if (fault !== undefined) untrusted(fault)
    if (path.at < notBefore || path.at > notAfter) untrusted(`it is ${path.at.toISOString()}`)
    return [signer]
  }
  try {
    return verifyPath(signer, { ...path, purpose: 'time-stamping' })
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    return untrusted(cause.message, cause)
  }
}

function checkSigner({ genTime, tsaName }: TstInfo, { notBefore, notAfter, ...tsa }: Certificate) {
  if (genTime < notBefore || genTime > notAfter) {
    invalid(`its certificate is not valid at ${genTime.toISOString()}, which it says`)
  }
  // §2.4.2: the name is one of those in the certificate
  if (tsaName !== undefined && !tsaName.equals(tsa.subjectDer)) {
    invalid('the name in it is not the one of its certificate')
  }
}
