import { createHash, createHmac, randomBytes, type KeyObject } from 'node:crypto'
import forge from 'node-forge'
import { ConfigError } from '../runtime/config.ts'
import type { Certificate } from './certificate.ts'
import { TAG } from './der.ts'
import {
  encode,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  tagged,
} from './der-writer.ts'
import { OID } from './oids.ts'

export interface Pkcs12Contents {
  /** The key of `certificate`: EC or RSA. */
  readonly privateKey: KeyObject
  readonly certificate: Certificate
  /** Certificates between it and the root, and the root if wanted. */
  readonly chain: readonly Certificate[]
  /** Printable ASCII: programs differ in how they encode anything else. */
  readonly password: string
  /** What key stores show; keytool calls it the alias. */
  readonly friendlyName: string
}

/** Half a second each where node-forge counts them, in JavaScript; keytool writes 10 000, openssl 2048. */
const ITERATIONS = 100_000
const SALT_BYTES = 16
const MAC_BYTES = 32

/**
 * A PKCS#12 file (RFC 7292) that openssl 3, keytool of Java 11 on, and Windows 10 1709 on open: the key by
 * AES-256 (PBES2, HMAC-SHA-256), certificates in the clear, all of it under an HMAC-SHA-256.
 *
 * node-forge encrypts and derives; its own `toPkcs12Asn1` takes RSA keys only and protects with SHA-1.
 *
 * @throws ConfigError for a password that is empty or not printable ASCII.
 */
export function createPkcs12(contents: Pkcs12Contents): Buffer {
  const { privateKey, certificate, chain, password, friendlyName } = contents
  if (!/^[ -~]+$/.test(password)) {
    throw new ConfigError('a password of a PKCS#12 file is printable ASCII, and not empty')
  }
  const attributes = setOf(
    attribute(OID.friendlyName, bmpString(friendlyName)),
    // Ties the key to its certificate among the others.
    attribute(OID.localKeyId, octetString(createHash('sha256').update(certificate.der).digest())),
  )
  const authenticatedSafe = sequence(
    dataContent(
      sequence(
        certificateBag(certificate, attributes),
        ...chain.map((other) => certificateBag(other)),
      ),
    ),
    dataContent(sequence(bag(OID.shroudedKeyBag, encryptedKey(privateKey, password), attributes))),
  )
  // RFC 7292 §4
  return sequence(integer(3), dataContent(authenticatedSafe), macData(authenticatedSafe, password))
}

/** ContentInfo of type data (RFC 5652 §4). */
function dataContent(content: Buffer): Buffer {
  return sequence(oid(OID.data), tagged(0, octetString(content)))
}

/** SafeBag (RFC 7292 §4.2). */
function bag(id: string, value: Buffer, attributes?: Buffer): Buffer {
  return sequence(oid(id), tagged(0, value), ...(attributes === undefined ? [] : [attributes]))
}

function certificateBag({ der }: Certificate, attributes?: Buffer): Buffer {
  const value = sequence(oid(OID.x509Certificate), tagged(0, octetString(der)))
  return bag(OID.certBag, value, attributes)
}

function attribute(id: string, value: Buffer): Buffer {
  return sequence(oid(id), setOf(value))
}

/** BMPString: UTF-16, most significant octet first. */
function bmpString(text: string): Buffer {
  return encode(TAG.bmpString, Buffer.from(text, 'utf16le').swap16())
}

/** EncryptedPrivateKeyInfo (RFC 5958 §3); to node-forge the key is just DER, so that any kind will do. */
function encryptedKey(privateKey: KeyObject, password: string): Buffer {
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  const encrypted = forge.pki.encryptPrivateKeyInfo(
    forge.asn1.fromDer(der.toString('latin1')),
    password,
    { algorithm: 'aes256', prfAlgorithm: 'sha256', count: ITERATIONS, saltSize: SALT_BYTES },
  )
  return Buffer.from(forge.asn1.toDer(encrypted).getBytes(), 'latin1')
}

/** Of node-forge, but not of its types: the derivation of RFC 7292 appendix B. */
interface KeyDerivation {
  generateKey(
    password: string,
    salt: forge.util.ByteBuffer,
    purpose: number,
    iterations: number,
    bytes: number,
    digest: forge.md.MessageDigest,
  ): forge.util.ByteBuffer
}

const PURPOSE_MAC = 3 // RFC 7292 appendix B.3

/** MacData (RFC 7292 §4), over the content of the data that it protects. */
function macData(authenticatedSafe: Buffer, password: string): Buffer {
  const salt = randomBytes(SALT_BYTES)
  const key = (forge.pkcs12 as typeof forge.pkcs12 & KeyDerivation).generateKey(
    password,
    forge.util.createBuffer(salt.toString('latin1')),
    PURPOSE_MAC,
    ITERATIONS,
    MAC_BYTES,
    forge.md.sha256.create(),
  )
  const mac = createHmac('sha256', Buffer.from(key.getBytes(), 'latin1'))
  const digestInfo = sequence(
    sequence(oid(OID.sha256), nullValue()),
    octetString(mac.update(authenticatedSafe).digest()),
  )
  return sequence(digestInfo, octetString(salt), integer(ITERATIONS))
}
