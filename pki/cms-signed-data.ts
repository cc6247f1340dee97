/** SignedData (RFC 5652 §5) with one signer and signed attributes, as time-stamp tokens are. */
import { createHash } from 'node:crypto'
import {
  CertificateError,
  formatSerial,
  parseCertificate,
  type Certificate,
} from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, onlyChild, parseDer, TAG } from './der.ts'
import type { DerNode } from './der.ts'
import { integer, nullValue, octetString, oid, sequence, setOf, tagged } from './der-writer.ts'
import { readIntegerBytes, readOctetString, readOid, readSmallInteger } from './der-values.ts'
import { serialBytes } from './ess-cert-id.ts'
import { OID } from './oids.ts'
import {
  algorithmFor,
  hashOfAlgorithm,
  readAlgorithm,
  signatureFault,
  signBytes,
} from './signature-algorithms.ts'
import type { SigningKey } from './signing-key.ts'
import { hashOid, readHashIdentifier, type TspHash } from './tsp-hash.ts'

export interface SignerAttribute {
  /** Object identifier. */
  readonly type: string
  /** DER of its only value. */
  readonly value: Buffer
}

/** The hash that goes with a key in a signature of ours. */
export function signingHash(key: SigningKey): TspHash {
  const hash = hashOfAlgorithm(readAlgorithm(parseDer(algorithmFor(key))))
  if (hash === undefined) throw new TypeError('keys that hash by themselves sign no SignedData')
  return hash
}

/**
 * Writes and signs a ContentInfo. Issuer and certificates keep the bytes they have, so it is written here and not by
 * way of the library's objects, which would encode them anew.
 *
 * @param content.attributes besides contentType and messageDigest, which §11 asks for.
 * @throws KeyError
 */
export async function createSignedData(content: {
  readonly type: string
  readonly bytes: Buffer
  readonly key: SigningKey
  readonly certificate: Certificate
  readonly attributes: readonly SignerAttribute[]
  /** Sent along, the signer's own among them; none leaves the field out. */
  readonly certificates: readonly Certificate[]
}): Promise<Buffer> {
  const { type, bytes, key, certificate, certificates } = content
  const hash = signingHash(key)
  const digest = createHash(hash).update(bytes).digest()
  const attributes = [
    { type: OID.contentType, value: oid(type) },
    { type: OID.messageDigest, value: octetString(digest) },
    ...content.attributes,
  ].map((attribute) => sequence(oid(attribute.type), setOf(attribute.value)))
  // §5.4: signed is the SET OF with its own tag, in DER, so in the order of its encodings
  const signedAttributes = setOf(...attributes)
  const digestAlgorithm = sequence(oid(hashOid(hash)), nullValue())
  const signerInfo = sequence(
    integer(1), // §5.3: issuer and serial number name the signer
    sequence(certificate.issuerDer, integer(serialBytes(certificate.serial))),
    digestAlgorithm,
    retag(signedAttributes, contextTag(0, 'constructed')),
    algorithmFor(key),
    octetString(await signBytes(signedAttributes, key)),
  )
  const bag = setOf(...certificates.map(({ der }) => der))
  const signedData = sequence(
    integer(3), // §5.1: the content is not plain data
    setOf(digestAlgorithm),
    sequence(oid(type), tagged(0, octetString(bytes))),
    ...(certificates.length === 0 ? [] : [retag(bag, contextTag(0, 'constructed'))]),
    setOf(signerInfo),
  )
  return sequence(oid(OID.signedData), tagged(0, signedData))
}

/** The same value under an implicit tag, or without one. */
function retag(encoded: Buffer, tag: number): Buffer {
  return Buffer.concat([Buffer.of(tag), encoded.subarray(1)])
}

export interface ParsedSignedData {
  readonly contentType: string
  readonly content: Buffer
  readonly certificates: readonly Certificate[]
  readonly digest: TspHash
  /** Values of the signed attributes by type; each stands once, with one value. */
  readonly attributes: ReadonlyMap<string, Buffer>
  /** True for the certificate that the signer information names. */
  readonly isSigner: (certificate: Certificate) => boolean
  /** Why the signature is not one of a key, undefined when it is. */
  readonly faultUnder: (signer: Certificate) => string | undefined
}

const MAX_CERTIFICATES = 16

const TAGGED_0 = contextTag(0, 'constructed')
const TAGGED_1 = contextTag(1, 'constructed')

/** Reads a ContentInfo with SignedData; only its form is checked. @throws DerError, CertificateError */
export function parseSignedData(der: Uint8Array): ParsedSignedData {
  const outer = fieldsOf(parseDer(der))
  if (readOid(outer.next(TAG.oid)) !== OID.signedData) throw new DerError('this is no SignedData')
  const fields = fieldsOf(onlyChild(outer.next(TAGGED_0)))
  outer.end()
  const version = readSmallInteger(fields.next())
  const digests = itemsOf(fields.next(), TAG.set).map(readHashIdentifier)
  const encapsulated = fieldsOf(fields.next(TAG.sequence))
  const certificates = readCertificates(fields.optional(TAGGED_0))
  fields.optional(TAGGED_1) // revocation lists
  const signers = itemsOf(fields.next(), TAG.set)
  fields.end()
  // §5.1: it follows from what is inside, and none of that makes it lower
  if (![3, 4, 5].includes(version)) throw new DerError(`the version of SignedData is ${version}`)
  const contentType = readOid(encapsulated.next(TAG.oid))
  const content = readOctetString(onlyChild(encapsulated.next(TAGGED_0)))
  encapsulated.end()
  // RFC 3161 §2.4.2: no signature besides the one of the authority
  if (signers.length !== 1) throw new DerError(`there are ${signers.length} signers instead of one`)
  const signer = readSignerInfo(signers[0]!)
  // §5.1 lets a reader refuse a digest that is not listed: a list that is wrong serves nobody.
  if (!digests.some(({ hash }) => hash === signer.digest)) {
    throw new DerError('the digest of the signer is not among those of SignedData')
  }
  return { contentType, content, certificates, ...signer }
}

/** §5.3 */
function readSignerInfo(
  node: DerNode,
): Pick<ParsedSignedData, 'digest' | 'attributes' | 'isSigner' | 'faultUnder'> {
  const fields = fieldsOf(node)
  const version = readSmallInteger(fields.next())
  const sid = fields.next()
  const { hash: digest, algorithm: id } = readHashIdentifier(fields.next(TAG.sequence))
  const attributes = fields.next(TAGGED_0)
  const algorithm = fields.next(TAG.sequence)
  const signature = readOctetString(fields.next())
  fields.optional(TAGGED_1) // unsigned attributes
  fields.end()
  if (digest === undefined) throw new DerError(`the digest ${id} is not accepted`)
  if (version !== (sid.tag === TAG.sequence ? 1 : 3)) {
    throw new DerError(`the version of the signer information is ${version}`)
  }
  const signed = retag(attributes.encoded, TAG.set) // §5.4
  return {
    digest,
    attributes: readAttributes(attributes),
    isSigner: signerTest(sid),
    faultUnder: ({ publicKey }) =>
      signatureFault({ signed, algorithm: withHash(algorithm, digest), signature }, publicKey),
  }
}

function readAttributes(node: DerNode): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>()
  for (const attribute of itemsOf(node, node.tag)) {
    const fields = fieldsOf(attribute)
    const type = readOid(fields.next(TAG.oid))
    const [value, ...more] = itemsOf(fields.next(), TAG.set)
    fields.end()
    // §11.1, §11.2: one instance, one value
    if (value === undefined || more.length > 0 || attributes.has(type)) {
      throw new DerError(`the attribute ${type} has not one value`)
    }
    attributes.set(type, value.encoded)
  }
  return attributes
}

function readCertificates(bag: DerNode | undefined): Certificate[] {
  const items = bag === undefined ? [] : itemsOf(bag, bag.tag)
  if (items.length > MAX_CERTIFICATES) throw new DerError('there are too many certificates')
  // Attribute certificates and other kinds (§10.2.2) are passed over, and so is what we cannot read.
  return items.flatMap((item) => {
    try {
      return item.tag === TAG.sequence ? [parseCertificate(item.encoded)] : []
    } catch (error) {
      if (error instanceof CertificateError) return []
      throw error
    }
  })
}

/** §5.3, SignerIdentifier. */
function signerTest(sid: DerNode): (certificate: Certificate) => boolean {
  if (sid.tag === contextTag(0, 'primitive')) {
    return ({ subjectKeyId }) => subjectKeyId?.equals(sid.content) === true
  }
  const fields = fieldsOf(sid)
  const issuer = fields.next(TAG.sequence).encoded
  const serial = formatSerial(readIntegerBytes(fields.next()))
  fields.end()
  return (certificate) => certificate.serial === serial && certificate.issuerDer.equals(issuer)
}

const RSA_WITH: Readonly<Record<TspHash, string>> = {
  sha256: OID.sha256WithRsa,
  sha384: OID.sha384WithRsa,
  sha512: OID.sha512WithRsa,
}

/**
 * The algorithm with its hash. RFC 3370 §3.2: rsaEncryption is PKCS #1 v1.5 with the hash that the
 * digest algorithm names.
 *
 * @throws DerError when the two name different hashes (RFC 8933 §3).
 */
function withHash(algorithm: DerNode, digest: TspHash): DerNode {
  const id = readOid(fieldsOf(algorithm).next(TAG.oid))
  if (id === OID.rsaEncryption) return parseDer(sequence(oid(RSA_WITH[digest]), nullValue()))
  const hash = hashOfAlgorithm(id)
  if (hash !== undefined && hash !== digest) {
    throw new DerError('digest and signature algorithm name different hashes')
  }
  return algorithm
}

/** The digest that the messageDigest attribute states (§11.2). @throws DerError */
export function readMessageDigest({ attributes }: ParsedSignedData): Buffer | undefined {
  const value = attributes.get(OID.messageDigest)
  return value && readOctetString(parseDer(value))
}

/** The type that the contentType attribute states (§11.1). @throws DerError */
export function readContentType({ attributes }: ParsedSignedData): string | undefined {
  const value = attributes.get(OID.contentType)
  return value && readOid(parseDer(value))
}
