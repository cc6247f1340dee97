import { createHash } from 'node:crypto'
import { formatSerial, type Certificate } from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, onlyChild, parseDer, TAG } from './der.ts'
import type { DerNode } from './der.ts'
import { integer, octetString, oid, sequence, tagged } from './der-writer.ts'
import { readIntegerBytes, readOctetString } from './der-values.ts'
import { hashOid, readHashIdentifier, type TspHash } from './tsp-hash.ts'

/** Names a certificate by its hash, and by its issuer and serial number where they are given. */
export interface EssCertId {
  readonly hash: TspHash | 'sha1'
  readonly digest: Buffer
  readonly issuer?: Buffer
  readonly serial?: string
}

/** Writes SigningCertificateV2 (RFC 5035 §3) that names one certificate. */
export function encodeSigningCertificateV2({ der, issuerDer, serial }: Certificate, hash: TspHash) {
  const issuerSerial = sequence(sequence(tagged(4, issuerDer)), integer(serialBytes(serial)))
  const algorithm = hash === 'sha256' ? [] : [sequence(oid(hashOid(hash)))] // DEFAULT sha256
  const digest = createHash(hash).update(der).digest()
  return sequence(sequence(sequence(...algorithm, octetString(digest), issuerSerial)))
}

export function serialBytes(serial: string): Buffer {
  return Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, 'hex')
}

/**
 * The first certificate that SigningCertificate (RFC 2634 §5.4, version 1: SHA-1) or
 * SigningCertificateV2 (RFC 5035 §3) names: it must be the signer's.
 *
 * @throws DerError
 */
export function readSigningCertificate(value: Buffer, version: 1 | 2): EssCertId {
  const fields = fieldsOf(parseDer(value))
  const [first] = itemsOf(fields.next(TAG.sequence))
  fields.optional(TAG.sequence) // policies
  fields.end()
  if (first === undefined) throw new DerError('the list of signing certificates is empty')
  const id = fieldsOf(first)
  const algorithm = version === 2 ? id.optional(TAG.sequence) : undefined
  const digest = readOctetString(id.next())
  const named = id.optional(TAG.sequence)
  id.end()
  const hash = version === 1 ? 'sha1' : algorithm ? readHash(algorithm) : 'sha256'
  return { hash, digest, ...(named && readIssuerSerial(named)) }
}

function readHash(node: DerNode): TspHash {
  const { hash, algorithm } = readHashIdentifier(node)
  if (hash === undefined) {
    throw new DerError(`the hash ${algorithm} of a certificate is not accepted`)
  }
  return hash
}

/** IssuerSerial of RFC 2634 §5.4.1; an issuer that is no directory name is passed over. */
function readIssuerSerial(node: DerNode): { issuer?: Buffer; serial: string } {
  const fields = fieldsOf(node)
  const [name] = itemsOf(fields.next(TAG.sequence))
  const serial = formatSerial(readIntegerBytes(fields.next()))
  fields.end()
  const isDirectoryName = name?.tag === contextTag(4, 'constructed')
  return isDirectoryName ? { issuer: onlyChild(name).encoded, serial } : { serial }
}

export function isNamedBy(certificate: Certificate, id: EssCertId): boolean {
  const { hash, digest, issuer, serial } = id
  return (
    createHash(hash).update(certificate.der).digest().equals(digest) &&
    (issuer === undefined || issuer.equals(certificate.issuerDer)) &&
    (serial === undefined || serial === certificate.serial)
  )
}
