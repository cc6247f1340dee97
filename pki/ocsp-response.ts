import { createHash } from 'node:crypto'
import {
  CertID,
  CertStatus,
  KeyHash,
  OCSPResponse,
  ResponderID,
  ResponseBytes,
  ResponseData,
  RevokedInfo,
  SingleResponse,
} from '@peculiar/asn1-ocsp'
import { OctetString } from '@peculiar/asn1-schema'
import { CRLReason } from '@peculiar/asn1-x509'
import { decodeAsn, encodeAsn, toArrayBuffer, wholeSeconds } from './asn1.ts'
import type { Certificate } from './certificate.ts'
import { nonceExtension, type OcspCertId } from './ocsp-cert-id.ts'
import { OID } from './oids.ts'
import { REVOCATION_REASONS, type RevocationReason } from './revocation-reason.ts'
import { signAsn } from './signed-structure.ts'
import type { SigningKey } from './signing-key.ts'

/** What the responder says about one certificate (RFC 6960 §2.2). */
export type OcspEntry = { readonly certId: OcspCertId } & (
  | { readonly status: 'good' | 'unknown' }
  | { readonly status: 'revoked'; readonly revokedAt: Date; readonly reason: RevocationReason }
)

/** RFC 6960 §4.2.1, OCSPResponseStatus. */
export const OCSP_RESPONSE_STATUS = {
  successful: 0,
  malformedRequest: 1,
  internalError: 2,
  tryLater: 3,
  sigRequired: 5,
  unauthorized: 6,
} as const

/** Writes an answer without a body: something kept the responder from answering. */
export function createOcspError(
  status: 'malformedRequest' | 'internalError' | 'tryLater' | 'unauthorized',
): Buffer {
  return encodeAsn(new OCSPResponse({ responseStatus: OCSP_RESPONSE_STATUS[status] }))
}

/** Writes and signs an answer (RFC 6960 §4.2.1) with the responder's certificate in it. */
export async function createOcspResponse(response: {
  readonly entries: readonly OcspEntry[]
  readonly responderKey: SigningKey
  readonly responderCertificate: Certificate
  readonly at: Date
  /** As it stood in the request. */
  readonly nonce?: Buffer | undefined
  /** How long the answer may be relied on. */
  readonly validityMs: number
}): Promise<Buffer> {
  const { nonce, responderCertificate, responderKey } = response
  const at = wholeSeconds(response.at)
  const nextUpdate = wholeSeconds(new Date(response.at.getTime() + response.validityMs))
  const keyHash = createHash('sha1').update(responderCertificate.publicKeyBits).digest()
  const data = new ResponseData({
    responderID: new ResponderID({ byKey: new KeyHash(toArrayBuffer(keyHash)) }),
    producedAt: at,
    responses: response.entries.map(
      (entry) =>
        new SingleResponse({
          certID: decodeAsn(entry.certId.encoded, CertID), // an answer repeats it byte by byte
          certStatus: certStatus(entry),
          thisUpdate: at,
          nextUpdate,
        }),
    ),
    ...(nonce === undefined ? {} : { responseExtensions: [nonceExtension(nonce)] }),
  })
  const basic = await signAsn(encodeAsn(data), responderKey, [responderCertificate.der])
  const responseBytes = new ResponseBytes({
    responseType: OID.ocspBasic,
    response: new OctetString(toArrayBuffer(basic)),
  })
  return encodeAsn(
    new OCSPResponse({ responseStatus: OCSP_RESPONSE_STATUS.successful, responseBytes }),
  )
}

function certStatus(entry: OcspEntry): CertStatus {
  if (entry.status !== 'revoked') return new CertStatus({ [entry.status]: null })
  const number = REVOCATION_REASONS[entry.reason]
  const revoked = new RevokedInfo({
    revocationTime: wholeSeconds(entry.revokedAt),
    // RFC 5280 §5.3.1: rather absent than unspecified
    ...(number === 0 ? {} : { revocationReason: new CRLReason(number) }),
  })
  return new CertStatus({ revoked })
}
