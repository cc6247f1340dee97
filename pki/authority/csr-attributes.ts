import { oid, sequence, setOf } from '../der-writer.ts'
import { OID } from '../oids.ts'

const EC_PUBLIC_KEY = '1.2.840.10045.2.1' // RFC 5480 §2.1.1
const SECP256R1 = '1.2.840.10045.3.1.7'
const SECP384R1 = '1.3.132.0.34'

/**
 * CsrAttrs of RFC 7030 §4.5.2: what a request is expected to have. A key on one of two curves, a signature by
 * ECDSA with SHA-256, and subjectAltName among the extensions it asks for (RFC 8951 §3.3); RSA and no names
 * are taken too.
 */
export function csrAttributes(): Buffer {
  return sequence(
    attribute(EC_PUBLIC_KEY, SECP256R1, SECP384R1),
    oid(OID.ecdsaWithSha256),
    attribute(OID.extensionRequest, OID.subjectAltName),
  )
}

/** Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF OBJECT IDENTIFIER } */
function attribute(type: string, ...values: readonly string[]): Buffer {
  return sequence(oid(type), setOf(...values.map(oid)))
}
