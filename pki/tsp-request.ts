import { OctetString } from '@peculiar/asn1-schema'
import { MessageImprint, TimeStampReq } from '@peculiar/asn1-tsp'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { encodeAsn, toArrayBuffer } from './asn1.ts'
import { contextTag, DerError, fieldsOf, parseDer, TAG, type DerNode } from './der.ts'
import { integer } from './der-writer.ts'
import {
  readBoolean,
  readIntegerBytes,
  readOctetString,
  readOid,
  readSmallInteger,
} from './der-values.ts'
import { readImplicitExtensions } from './extensions.ts'
import { hashOid, readHashIdentifier, type HashIdentifier, type TspHash } from './tsp-hash.ts'

/** What is sent as a request, and as its answer (RFC 3161 §3.4). */
export const TIMESTAMP_QUERY = 'application/timestamp-query'
export const TIMESTAMP_REPLY = 'application/timestamp-reply'

/**
 * Writes a request for a time-stamp (RFC 3161 §2.4.1).
 *
 * @param request.digest of what is stamped, as long as `hash` makes it.
 * @param request.nonce random bytes, read as an unsigned integer; 8 are enough.
 * @param request.certReq whether the authority sends its certificate along.
 */
export function createTspRequest(request: {
  readonly hash: TspHash
  readonly digest: Uint8Array
  readonly nonce?: Uint8Array
  readonly policy?: string
  readonly certReq: boolean
}): Buffer {
  const { hash, digest, nonce, policy, certReq } = request
  return encodeAsn(
    new TimeStampReq({
      messageImprint: new MessageImprint({
        // RFC 5754 §2: written without parameters, read with NULL as well
        hashAlgorithm: new AlgorithmIdentifier({ algorithm: hashOid(hash) }),
        hashedMessage: new OctetString(toArrayBuffer(digest)),
      }),
      ...(policy === undefined ? {} : { reqPolicy: policy }),
      ...(nonce === undefined ? {} : { nonce: toArrayBuffer(nonceContent(nonce)) }),
      certReq,
    }),
  )
}

/** A request as it came; nothing in it is judged yet. */
export interface TspRequest {
  readonly version: number
  readonly imprint: Imprint
  readonly policy: string | undefined
  /** Content of the INTEGER: an answer repeats it byte by byte. */
  readonly nonce: Buffer | undefined
  readonly certReq: boolean
  /** Object identifiers of its extensions. */
  readonly extensions: readonly string[]
}

/** MessageImprint of RFC 3161 §2.4.1. */
export interface Imprint extends HashIdentifier {
  readonly digest: Buffer
  /** As it came. */
  readonly encoded: Buffer
}

const MAX_NONCE_BYTES = 64

/** @throws DerError */
export function parseTspRequest(der: Uint8Array): TspRequest {
  const fields = fieldsOf(parseDer(der))
  const version = readSmallInteger(fields.next())
  const imprint = readImprint(fields.next())
  const policy = fields.optional(TAG.oid)
  const nonce = fields.optional(TAG.integer)
  const certReq = fields.optional(TAG.boolean)
  const extensions = fields.optional(contextTag(0, 'constructed'))
  fields.end()
  return {
    version,
    imprint,
    policy: policy && readOid(policy),
    nonce: nonce && readNonceContent(nonce),
    certReq: certReq !== undefined && readBoolean(certReq),
    extensions: extensions ? [...readImplicitExtensions(extensions).keys()] : [],
  }
}

/** @throws DerError */
export function readImprint(node: DerNode): Imprint {
  const fields = fieldsOf(node)
  const identifier = readHashIdentifier(fields.next(TAG.sequence))
  const digest = readOctetString(fields.next())
  fields.end()
  return { ...identifier, digest, encoded: node.encoded }
}

/** Content of a nonce as it came. @throws DerError */
export function readNonceContent(node: DerNode): Buffer {
  const content = readIntegerBytes(node)
  if (content.length <= MAX_NONCE_BYTES) return content
  throw new DerError(`a nonce has more than ${MAX_NONCE_BYTES} bytes`, {
    code: 'encoding.too-large',
  })
}

/** Content of the INTEGER that a nonce of random bytes becomes. */
export function nonceContent(nonce: Uint8Array): Buffer {
  // A nonce is shorter than 128 bytes: identifier and length are one octet each.
  return integer(nonce).subarray(2)
}
