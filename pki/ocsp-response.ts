import { createHash } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import {
  bitString,
  enumerated,
  generalizedTime,
  octetString,
  oid,
  sequence,
  tagged,
  taggedPrimitive,
} from './der-writer.ts'
import { extension } from './issue.ts'
import type { OcspCertId } from './ocsp-cert-id.ts'
import { OID } from './oids.ts'
import { REVOCATION_REASONS, type RevocationReason } from './revocation-reason.ts'
import { algorithmFor, signBytes } from './signature-algorithms.ts'
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
  status: 'malformedRequest' | 'internalError' | 'unauthorized',
): Buffer {
  return sequence(enumerated(OCSP_RESPONSE_STATUS[status]))
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
  const { at, nonce, responderCertificate, responderKey } = response
  const nextUpdate = new Date(at.getTime() + response.validityMs)
  const keyHash = createHash('sha1').update(responderCertificate.publicKeyBits).digest()
  const data = sequence(
    tagged(2, octetString(keyHash)), // responderID byKey
    generalizedTime(at),
    sequence(
      ...response.entries.map((entry) =>
        sequence(
          entry.certId.encoded,
          encodeStatus(entry),
          generalizedTime(at),
          tagged(0, generalizedTime(nextUpdate)),
        ),
      ),
    ),
    ...(nonce === undefined
      ? []
      : [tagged(1, sequence(extension(OID.ocspNonce, octetString(nonce))))]),
  )
  const basic = sequence(
    data,
    algorithmFor(responderKey),
    bitString(await signBytes(data, responderKey)),
    tagged(0, sequence(responderCertificate.der)),
  )
  return sequence(
    enumerated(OCSP_RESPONSE_STATUS.successful),
    tagged(0, sequence(oid(OID.ocspBasic), octetString(basic))),
  )
}

function encodeStatus(entry: OcspEntry): Buffer {
  if (entry.status !== 'revoked') {
    return taggedPrimitive(entry.status === 'good' ? 0 : 2, Buffer.alloc(0))
  }
  const time = generalizedTime(entry.revokedAt)
  const number = REVOCATION_REASONS[entry.reason]
  // RFC 5280 §5.3.1: rather absent than unspecified
  return number === 0 ? tagged(1, time) : tagged(1, time, tagged(0, enumerated(number)))
}
