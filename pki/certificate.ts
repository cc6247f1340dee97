import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import {
  contextTag,
  DerError,
  fieldsOf,
  itemsOf,
  onlyChild,
  parseDer,
  TAG,
  type DerNode,
} from './der.ts'
import {
  readBitStringBytes,
  readIntegerBytes,
  readOid,
  readSmallInteger,
  readTime,
} from './der-values.ts'
import { formatName } from './distinguished-name.ts'
import {
  readCertificateExtensions,
  readTaggedExtensions,
  type CertificateExtensions,
} from './extensions.ts'
import { readIdentity, type CertificateIdentity } from './identity.ts'
import { OID } from './oids.ts'
import { readPem, toPem } from './pem.ts'
import { pemFault, recogniseDer } from './recognise.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import { readSigned, type SignedBytes } from './signature-algorithms.ts'

/** What the signature of a certificate is over (RFC 5280 §4.1.2). */
export interface ToBeSigned extends CertificateExtensions {
  readonly version: number
  /** Lower-case hex of the INTEGER, without leading zeros. */
  readonly serial: string
  readonly algorithmDer: Buffer
  /** Text of RFC 4514, one line. */
  readonly subject: string
  readonly issuer: string
  readonly subjectDer: Buffer
  readonly issuerDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  /** Content of the subject's key bits: what OCSP and key identifiers hash. */
  readonly publicKeyBits: Buffer
  /** For each extension, by object identifier, whether it is critical. */
  readonly criticality: ReadonlyMap<string, boolean>
}

/** An X.509 certificate (RFC 5280 §4.1), read once; nothing in it is verified yet. */
export interface Certificate
  extends Omit<ToBeSigned, 'version' | 'algorithmDer' | 'criticality'>, SignedBytes {
  readonly der: Buffer
  readonly pem: string
  /** base64url of SHA-256 over the DER: `x5t#S256` of RFC 7515 §4.1.8. */
  readonly thumbprint: string
  /** Undefined when the subject does not follow our profile. */
  readonly identity: CertificateIdentity | undefined
}

/** The input is no certificate or request. The message is one sentence a stranger may read. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  readonly code: ErrorCode

  constructor(message: string, options: { code?: ErrorCode; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = options.code ?? 'certificate.malformed'
  }
}

const MAX_CACHED = 2_000
const cache = new Map<string, Certificate>()

/**
 * Reads one certificate from PEM or DER. The same bytes give the same object as long as they are
 * remembered: parsing costs much more than the hash.
 *
 * @throws CertificateError
 */
export function parseCertificate(input: string | Uint8Array): Certificate {
  const der = typeof input === 'string' ? fromPem(input) : Buffer.from(input)
  const thumbprint = createHash('sha256').update(der).digest('base64url')
  const known = cache.get(thumbprint)
  if (known !== undefined) {
    // What is used again is the last to go: strangers' certificates, seen once, push out nobody's.
    cache.delete(thumbprint)
    cache.set(thumbprint, known)
    return known
  }
  let certificate: Certificate
  try {
    certificate = readCertificate(der, thumbprint)
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    throw notCertificate(der, cause)
  }
  if (cache.size >= MAX_CACHED) cache.delete(cache.keys().next().value!)
  cache.set(thumbprint, certificate)
  return certificate
}

/**
 * Every certificate of a PEM text, in its order; none is fine.
 *
 * @throws CertificateError
 */
export function parseCertificates(pem: string): Certificate[] {
  return readPem('CERTIFICATE', pem).map(parseCertificate)
}

function fromPem(text: string): Buffer {
  const blocks = readPem('CERTIFICATE', text)
  if (blocks.length !== 1) throw new CertificateError(pemFault('CERTIFICATE', text))
  return blocks[0]!
}

/** Another structure in place of a certificate is named; anything else is told by what is wrong in it. */
function notCertificate(der: Buffer, cause: DerError): CertificateError {
  const what = recogniseDer(der)
  if (what !== undefined && what !== 'a certificate') {
    return new CertificateError(`this is not a certificate, it is ${what}`, { cause })
  }
  const { code, message } = cause
  return new CertificateError(`this is not a certificate: ${message}`, { code, cause })
}

const EXPLICIT_VERSION = contextTag(0, 'constructed')
const ISSUER_UNIQUE_ID = contextTag(1, 'primitive')
const SUBJECT_UNIQUE_ID = contextTag(2, 'primitive')
const EXPLICIT_EXTENSIONS = contextTag(3, 'constructed')

function readCertificate(der: Buffer, thumbprint: string): Certificate {
  const { toBeSigned, ...signedBytes } = readSigned(parseDer(der))
  const { version: _, algorithmDer, criticality: __, ...fields } = readToBeSigned(toBeSigned)
  // RFC 5280 §4.1.1.2: the algorithm inside the signature must be the one outside of it
  if (!algorithmDer.equals(signedBytes.algorithm.encoded)) {
    throw new DerError('the two signature algorithms differ')
  }
  return {
    ...signedBytes,
    der,
    pem: toPem('CERTIFICATE', der),
    thumbprint,
    ...fields,
    identity: readIdentity(fields.subjectDer),
  }
}

/** Reads the part of a certificate that is signed, before it is. @throws DerError */
export function parseToBeSigned(der: Uint8Array): ToBeSigned {
  return readToBeSigned(parseDer(der))
}

function readToBeSigned(toBeSigned: DerNode): ToBeSigned {
  const fields = fieldsOf(toBeSigned)
  const explicitVersion = fields.optional(EXPLICIT_VERSION)
  const version =
    explicitVersion === undefined ? 1 : readSmallInteger(onlyChild(explicitVersion)) + 1
  const serial = readIntegerBytes(fields.next(TAG.integer))
  const algorithm = fields.next(TAG.sequence)
  const issuer = fields.next(TAG.sequence)
  const validity = fieldsOf(fields.next(TAG.sequence))
  const notBefore = readTime(validity.next())
  const notAfter = readTime(validity.next())
  validity.end()
  const subject = fields.next(TAG.sequence)
  const key = readPublicKey(fields.next(TAG.sequence))
  fields.optional(ISSUER_UNIQUE_ID)
  fields.optional(SUBJECT_UNIQUE_ID)
  const tagged = fields.optional(EXPLICIT_EXTENSIONS)
  fields.end()
  if (tagged !== undefined && version !== 3) {
    throw new DerError('only version 3 has extensions') // RFC 5280 §4.1.2.9
  }
  const extensions = readTaggedExtensions(tagged)
  return {
    version,
    serial: formatSerial(serial),
    algorithmDer: algorithm.encoded,
    subject: formatName(subject),
    issuer: formatName(issuer),
    subjectDer: subject.encoded,
    issuerDer: issuer.encoded,
    notBefore,
    notAfter,
    ...key,
    ...readCertificateExtensions(extensions),
    criticality: new Map([...extensions.values()].map(({ id, critical }) => [id, critical])),
  }
}

/** Lower-case hex without leading zeros, as `serial` of a certificate. */
export function formatSerial(integer: Uint8Array): string {
  return Buffer.from(integer)
    .toString('hex')
    .replace(/^0+(?=.)/, '')
}

/** The bytes behind `serial` of a certificate. */
export function serialBytes(serial: string): Buffer {
  return Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, 'hex')
}

/** Reads SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). @throws DerError */
export function readPublicKey(spki: DerNode): { publicKey: KeyObject; publicKeyBits: Buffer } {
  const fields = fieldsOf(spki)
  const [algorithm, parameters] = itemsOf(fields.next(TAG.sequence))
  // RFC 5480 §2.1.1: OpenSSL would read a curve that the sender spells out himself
  if (parameters?.tag === TAG.sequence && readOid(algorithm!) === OID.ecPublicKey) {
    throw new DerError('the curve of the public key is spelt out instead of named')
  }
  const publicKeyBits = readBitStringBytes(fields.next(TAG.bitString))
  fields.end()
  try {
    const publicKey = createPublicKey({ key: spki.encoded, format: 'der', type: 'spki' })
    return { publicKey, publicKeyBits }
  } catch (cause) {
    throw new DerError('the public key cannot be read', { cause })
  }
}
