import { verify, type KeyObject } from 'node:crypto'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import { encodeAsn } from './asn1.ts'
import { fieldsOf, TAG, type DerFields, type DerNode } from './der.ts'
import { readBitStringBytes, readOid } from './der-values.ts'
import { keyFault } from './keys.ts'
import { OID } from './oids.ts'
import type { SigningKey } from './signing-key.ts'

interface SignatureAlgorithm {
  readonly oid: string
  readonly keyType: 'ec' | 'rsa' | 'ed25519'
  /** Null where the algorithm hashes by itself. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
}

/** RFC 8017 appendix A.2.4, RFC 5758 §3.2, RFC 8410. MD5 and SHA-1 are left out on purpose. */
const ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: OID.ecdsaWithSha256, keyType: 'ec', hash: 'sha256' },
  { oid: OID.ecdsaWithSha384, keyType: 'ec', hash: 'sha384' },
  { oid: OID.ecdsaWithSha512, keyType: 'ec', hash: 'sha512' },
  { oid: OID.sha256WithRsa, keyType: 'rsa', hash: 'sha256' },
  { oid: OID.sha384WithRsa, keyType: 'rsa', hash: 'sha384' },
  { oid: OID.sha512WithRsa, keyType: 'rsa', hash: 'sha512' },
  { oid: OID.ed25519, keyType: 'ed25519', hash: null },
]

/** AlgorithmIdentifier to use with a key of ours: ECDSA with the hash of its curve, or RSA PKCS#1. */
export function algorithmIdentifier({
  publicKey,
}: Pick<SigningKey, 'publicKey'>): AlgorithmIdentifier {
  const { oid: algorithm, keyType } = preferredAlgorithm(publicKey)
  // Parameters are NULL for RSA (RFC 8017 appendix A.2.4), absent for others (RFC 5758 §3.2).
  return new AlgorithmIdentifier({ algorithm, ...(keyType === 'rsa' ? { parameters: null } : {}) })
}

/** The same as DER. */
export function algorithmFor(key: Pick<SigningKey, 'publicKey'>): Buffer {
  return encodeAsn(algorithmIdentifier(key))
}

/** Signs by the algorithm that {@link algorithmFor} names. @throws KeyError */
export function signBytes(bytes: Uint8Array, key: SigningKey): Promise<Buffer> {
  return key.sign(bytes, { hash: preferredAlgorithm(key.publicKey).hash })
}

function preferredAlgorithm(key: KeyObject): SignatureAlgorithm {
  const isP384 = key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
  const algorithm = ALGORITHMS.find(
    ({ keyType, hash }) => keyType === key.asymmetricKeyType && (!isP384 || hash === 'sha384'),
  )
  if (algorithm === undefined) {
    throw new TypeError(`no signature algorithm for keys of type ${key.asymmetricKeyType}`)
  }
  return algorithm
}

/** The hash that a signature algorithm names; undefined for one that is not accepted, or hashes by itself. */
export function hashOfAlgorithm(id: string): NonNullable<SignatureAlgorithm['hash']> | undefined {
  return ALGORITHMS.find((entry) => entry.oid === id)?.hash ?? undefined
}

/** A signed structure of X.509: certificate, request or OCSP answer. */
export interface SignedBytes {
  /** What was signed, tag and length included. */
  readonly signed: Buffer
  readonly algorithm: DerNode
  readonly signature: Buffer
}

/**
 * What is wrong with a signature, undefined when nothing is. Algorithm and key are set by whoever
 * wrote the structure: both must be ones we accept, and fit each other.
 */
export function signatureFault(
  { signed, algorithm, signature }: SignedBytes,
  key: KeyObject,
): string | undefined {
  const id = readAlgorithm(algorithm)
  const known = ALGORITHMS.find((entry) => entry.oid === id)
  if (known === undefined) return `the signature algorithm ${id} is not accepted`
  const weakness = keyFault(key)
  if (weakness !== undefined) return weakness
  if (known.keyType !== key.asymmetricKeyType) return 'algorithm and key do not fit each other'
  try {
    return verify(known.hash, signed, key, signature) ? undefined : 'the signature does not verify'
  } catch {
    return 'the signature does not verify' // OpenSSL throws for some malformed ECDSA values
  }
}

/** Object identifier of an AlgorithmIdentifier (RFC 5280 §4.1.1.2) with absent or NULL parameters. */
export function readAlgorithm(node: DerNode): string {
  const fields = fieldsOf(node)
  const id = readOid(fields.next(TAG.oid))
  if (ALGORITHMS.some((entry) => entry.oid === id)) {
    fields.optional(TAG.null)
    fields.end()
  }
  return id
}

/** Reads `SEQUENCE { signed, AlgorithmIdentifier, BIT STRING }`. @throws DerError */
export function readSigned(node: DerNode): { toBeSigned: DerNode } & SignedBytes {
  const fields = fieldsOf(node)
  const signed = readSignedFields(fields)
  fields.end()
  return signed
}

/** The same three fields where others may follow. @throws DerError */
export function readSignedFields(fields: DerFields): { toBeSigned: DerNode } & SignedBytes {
  const toBeSigned = fields.next(TAG.sequence)
  const algorithm = fields.next(TAG.sequence)
  const signature = readBitStringBytes(fields.next())
  readAlgorithm(algorithm)
  return { toBeSigned, signed: toBeSigned.encoded, algorithm, signature }
}
