import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import type { Certificate } from '../certificate.ts'
import { DerError } from '../der.ts'
import { isIssuedBy, type OcspCertId } from '../ocsp-cert-id.ts'
import { parseOcspRequest, type OcspRequest } from '../ocsp-request.ts'
import { createOcspError, createOcspResponse, type OcspEntry } from '../ocsp-response.ts'
import type { SigningKey } from '../signing-key.ts'
import type { CertificateStore } from './certificate-store.ts'
import type { IssuingName } from './issuers.ts'

export interface OcspAnswer {
  readonly der: Buffer
  /** Set when everybody who asks the same may be given this answer: its thisUpdate and nextUpdate. */
  readonly cacheable?: { readonly from: Date; readonly until: Date }
  /** Why it says nothing about a certificate: for the journal, the answer itself has no room for it. */
  readonly refusal?: { readonly code: ErrorCode; readonly detail: string }
  /** A fault of ours, for the log. */
  readonly cause?: unknown
}

/** Who answers for the certificates of one issuing authority (RFC 6960 §4.2.2.2). */
export interface OcspResponder {
  readonly name: IssuingName
  readonly issuing: Certificate
  readonly key: SigningKey
  /** The responder's certificate in force at a time. */
  readonly certificate: (at: Date) => Promise<Certificate>
}

/**
 * Answers a request of anyone (RFC 6960 §2.2, §2.3): whatever the bytes are, there is an answer.
 *
 * One answer has one signature, and a responder may speak for the authority that delegated to it alone
 * (RFC 6960 §4.2.2.2): of a request about certificates of both authorities, those of the first one named are
 * answered, and the others are `unknown`, as for an issuer that this responder does not serve (§2.2).
 */
export async function answerOcsp(
  responders: readonly OcspResponder[],
  store: CertificateStore,
  { request, at, validityMs }: { request: Uint8Array; at: Date; validityMs: number },
): Promise<OcspAnswer> {
  let asked: OcspRequest
  try {
    asked = parseOcspRequest(request)
  } catch (error) {
    if (!(error instanceof DerError) && !(error instanceof ExchangeError)) throw error
    const { code, message: detail } = error
    return { der: createOcspError('malformedRequest'), refusal: { code, detail } }
  }
  const responder = asked.certIds
    .map((certId) => responders.find(({ issuing }) => isIssuedBy(certId, issuing)))
    .find((found) => found !== undefined)
  // RFC 5019 §2.2.3: nothing in it is ours to speak about
  if (responder === undefined) {
    const detail = 'it asks about certificates that neither issuing authority issued'
    const refusal = { code: 'certificate.untrusted', detail } as const
    return { der: createOcspError('unauthorized'), refusal }
  }
  const { nonce } = asked
  try {
    const der = await createOcspResponse({
      entries: asked.certIds.map((certId) => entryOf(responder, store, certId)),
      responderKey: responder.key,
      responderCertificate: await responder.certificate(at),
      at,
      nonce,
      validityMs,
    })
    const cacheable = { from: at, until: new Date(at.getTime() + validityMs) }
    return nonce === undefined ? { der, cacheable } : { der }
  } catch (cause) {
    // A token that is away, a full disk: RFC 6960 §2.3 has a word for it that clients understand.
    const detail = 'no answer can be signed now: see the log'
    const refusal = { code: 'internal', detail } as const
    return { der: createOcspError('tryLater'), refusal, cause }
  }
}

function entryOf(
  { issuing, name }: OcspResponder,
  store: CertificateStore,
  certId: OcspCertId,
): OcspEntry {
  const found = isIssuedBy(certId, issuing) ? store.find(certId.serial) : undefined
  // Certificates of the other authorities are recorded too, under serials that are not this one's.
  if (found === undefined || found.issuer !== name) return { certId, status: 'unknown' }
  const { revocation } = found
  return revocation === undefined
    ? { certId, status: 'good' }
    : { certId, status: 'revoked', ...revocation }
}
