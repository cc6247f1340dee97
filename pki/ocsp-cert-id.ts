import { createHash } from 'node:crypto'
import { CertID } from '@peculiar/asn1-ocsp'
import { OctetString } from '@peculiar/asn1-schema'
import { AlgorithmIdentifier, type Extension } from '@peculiar/asn1-x509'
import { encodeAsn, encodeOctetString, extension, toArrayBuffer, unsignedInteger } from './asn1.ts'
import { formatSerial, serialBytes, type Certificate } from './certificate.ts'
import { DerError, fieldsOf, parseDer, TAG, type DerNode } from './der.ts'
import { readIntegerBytes, readOctetString, readOid } from './der-values.ts'
import { OID } from './oids.ts'

export type CertIdHash = 'sha1' | 'sha256'

/** CertID of RFC 6960 §4.1.1: which certificate is asked about. */
export interface OcspCertId {
  readonly hash: CertIdHash
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  /** Lower-case hex without leading zeros, as `serial` of a certificate. */
  readonly serial: string
  /** As it came: an answer repeats it byte by byte. */
  readonly encoded: Buffer
}

const HASHES: Readonly<Record<CertIdHash, { readonly oid: string; readonly bytes: number }>> = {
  sha1: { oid: OID.sha1, bytes: 20 },
  sha256: { oid: OID.sha256, bytes: 32 },
}

/** @param hash SHA-1 is what every responder understands; it names, and protects nothing. */
export function certIdOf(
  { serial }: Certificate,
  issuer: Certificate,
  hash: CertIdHash = 'sha1',
): OcspCertId {
  const digest = (bytes: Buffer): Buffer => createHash(hash).update(bytes).digest()
  const issuerNameHash = digest(issuer.subjectDer)
  const issuerKeyHash = digest(issuer.publicKeyBits)
  const certId = new CertID({
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: HASHES[hash].oid, parameters: null }),
    issuerNameHash: new OctetString(toArrayBuffer(issuerNameHash)),
    issuerKeyHash: new OctetString(toArrayBuffer(issuerKeyHash)),
    serialNumber: unsignedInteger(serialBytes(serial)),
  })
  const encoded = encodeAsn(certId)
  return { hash, issuerNameHash, issuerKeyHash, serial, encoded }
}

/** @throws DerError, also for a hash other than SHA-1 and SHA-256. */
export function readCertId(node: DerNode): OcspCertId {
  const fields = fieldsOf(node)
  const algorithm = fieldsOf(fields.next(TAG.sequence))
  const id = readOid(algorithm.next())
  algorithm.optional(TAG.null)
  algorithm.end()
  const issuerNameHash = readOctetString(fields.next())
  const issuerKeyHash = readOctetString(fields.next())
  const serial = formatSerial(readIntegerBytes(fields.next()))
  fields.end()
  const hash = (Object.keys(HASHES) as CertIdHash[]).find((name) => HASHES[name].oid === id)
  if (hash === undefined) throw new DerError(`the hash ${id} of a CertID is not accepted`)
  for (const digest of [issuerNameHash, issuerKeyHash]) {
    if (digest.length !== HASHES[hash].bytes) throw new DerError('a hash has the wrong length')
  }
  return { hash, issuerNameHash, issuerKeyHash, serial, encoded: node.encoded }
}

/** True when the id was made for a certificate of `issuer`, whatever its serial number. */
export function isIssuedBy(id: OcspCertId, issuer: Certificate): boolean {
  const digest = (bytes: Buffer): Buffer => createHash(id.hash).update(bytes).digest()
  return (
    id.issuerNameHash.equals(digest(issuer.subjectDer)) &&
    id.issuerKeyHash.equals(digest(issuer.publicKeyBits))
  )
}

/** RFC 9654 §2.1: the nonce is an OCTET STRING inside that of the extension. */
export function nonceExtension(nonce: Uint8Array): Extension {
  return extension(OID.ocspNonce, encodeOctetString(nonce))
}

/** RFC 9654 §2.1: from 1 to 128 bytes, in an OCTET STRING of its own. @throws DerError */
export function readNonce(value: Buffer): Buffer {
  const nonce = readOctetString(parseDer(value))
  if (nonce.length < 1 || nonce.length > 128) {
    throw new DerError('a nonce has not from 1 to 128 bytes')
  }
  return nonce
}
