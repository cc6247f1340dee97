import type { Certificate } from '../certificate.ts'
import { DerError } from '../der.ts'
import { isIssuedBy, type OcspCertId } from '../ocsp-cert-id.ts'
import { parseOcspRequest, type OcspRequest } from '../ocsp-request.ts'
import { createOcspError, createOcspResponse, type OcspEntry } from '../ocsp-response.ts'
import type { SigningKey } from '../signing-key.ts'
import type { CertificateStore } from './certificate-store.ts'

export interface OcspAnswer {
  readonly der: Buffer
  /** Set when everybody who asks the same may be given this answer. */
  readonly cacheableFrom?: Date
}

export interface OcspResponder {
  readonly issuing: Certificate
  readonly store: CertificateStore
  readonly key: SigningKey
  /** The responder's certificate in force at a time. */
  readonly certificate: (at: Date) => Promise<Certificate>
  readonly validityMs: number
}

/** Answers a request of anyone (RFC 6960 §2.2, §2.3): whatever the bytes are, there is an answer. */
export async function answerOcsp(
  responder: OcspResponder,
  request: Uint8Array,
  at: Date,
): Promise<OcspAnswer> {
  let asked: OcspRequest
  try {
    asked = parseOcspRequest(request)
  } catch (error) {
    if (error instanceof DerError) return { der: createOcspError('malformedRequest') }
    throw error
  }
  const { issuing, key, certificate, validityMs } = responder
  // RFC 5019 §2.2.3: nothing in it is ours to speak about
  if (!asked.certIds.some((certId) => isIssuedBy(certId, issuing))) {
    return { der: createOcspError('unauthorized') }
  }
  const { nonce } = asked
  const der = await createOcspResponse({
    entries: asked.certIds.map((certId) => entryOf(responder, certId)),
    responderKey: key,
    responderCertificate: await certificate(at),
    at,
    nonce,
    validityMs,
  })
  return nonce === undefined ? { der, cacheableFrom: at } : { der }
}

function entryOf({ issuing, store }: OcspResponder, certId: OcspCertId): OcspEntry {
  const found = isIssuedBy(certId, issuing) ? store.find(certId.serial) : undefined
  // The root's own certificates are recorded too, under serials that are not the issuing one's.
  if (found === undefined || !found.certificate.issuerDer.equals(issuing.subjectDer)) {
    return { certId, status: 'unknown' }
  }
  const { revocation } = found
  return revocation === undefined
    ? { certId, status: 'good' }
    : { certId, status: 'revoked', ...revocation }
}
