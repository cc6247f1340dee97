import { CertID, OCSPRequest, Request, TBSRequest } from '@peculiar/asn1-ocsp'
import { decodeAsn, encodeAsn } from './asn1.ts'
import type { Certificate } from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, onlyChild, parseDer, TAG } from './der.ts'
import { readSmallInteger } from './der-values.ts'
import { readTaggedExtensions, type Extension } from './extensions.ts'
import {
  certIdOf,
  nonceExtension,
  readCertId,
  readNonce,
  type CertIdHash,
  type OcspCertId,
} from './ocsp-cert-id.ts'
import { OID } from './oids.ts'

/**
 * Writes a request for the revocation state of one certificate (RFC 6960 §4.1.1), unsigned.
 *
 * @param options.nonce from 1 to 128 bytes; without one a responder may answer from its cache.
 */
export function createOcspRequest(
  certificate: Certificate,
  issuer: Certificate,
  options: { readonly nonce?: Buffer; readonly hash?: CertIdHash } = {},
): Buffer {
  const { encoded } = certIdOf(certificate, issuer, options.hash)
  const { nonce } = options
  const tbsRequest = new TBSRequest({
    requestList: [new Request({ reqCert: decodeAsn(encoded, CertID) })],
    ...(nonce === undefined ? {} : { requestExtensions: [nonceExtension(nonce)] }),
  })
  return encodeAsn(new OCSPRequest({ tbsRequest }))
}

export interface OcspRequest {
  readonly certIds: readonly OcspCertId[]
  readonly nonce: Buffer | undefined
}

const MAX_REQUESTS = 64
const EXPLICIT = [0, 1, 2].map((number) => contextTag(number, 'constructed')) as [
  number,
  number,
  number,
]

/**
 * Reads a request of RFC 6960 §4.1.1. A signature of the requestor is passed over: everybody may ask.
 *
 * @throws DerError
 */
export function parseOcspRequest(der: Uint8Array): OcspRequest {
  const outer = fieldsOf(parseDer(der))
  const fields = fieldsOf(outer.next(TAG.sequence))
  outer.optional(EXPLICIT[0])
  outer.end()
  const version = fields.optional(EXPLICIT[0])
  if (version !== undefined && readSmallInteger(onlyChild(version)) !== 0) {
    throw new DerError('the version is not 1')
  }
  fields.optional(EXPLICIT[1])
  const requests = itemsOf(fields.next())
  const extensions = readTaggedExtensions(fields.optional(EXPLICIT[2]))
  fields.end()
  refuseCritical(extensions)
  if (requests.length === 0 || requests.length > MAX_REQUESTS) {
    throw new DerError(`a message asks about 1 to ${MAX_REQUESTS} certificates`)
  }
  const certIds = requests.map((request) => {
    const single = fieldsOf(request)
    const certId = readCertId(single.next(TAG.sequence))
    refuseCritical(readTaggedExtensions(single.optional(EXPLICIT[0])))
    single.end()
    return certId
  })
  const nonce = extensions.get(OID.ocspNonce)
  return { certIds, nonce: nonce && readNonce(nonce.value) }
}

/** RFC 6960 §4.1.2: what is critical must be understood. */
export function refuseCritical(extensions: ReadonlyMap<string, Extension>): void {
  for (const { id, critical } of extensions.values()) {
    if (critical && id !== OID.ocspNonce) {
      throw new DerError(`the critical extension ${id} is not understood here`)
    }
  }
}
