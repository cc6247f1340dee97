import { constants, sign, verify, type KeyObject } from 'node:crypto'
import { ExchangeError } from './errors.ts'

/** Algorithms of the profile (protocol/README.md §5.2): RFC 7518 §3.1, RFC 8037 §3.1. */
export const SIGNATURE_ALGORITHMS = ['ES256', 'PS256', 'RS256', 'EdDSA'] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** The protected header, all of it: a member more or less is refused. */
export interface ManifestHeader {
  readonly alg: SignatureAlgorithm
  /** Time of signing in Unix seconds, as ETSI TS 119 182-1 §5.1.11 has it. */
  readonly iat: number
  /** The member that signs: `INSTANCE/CLASS/MEMBER`. */
  readonly kid: string
  /** SHA-256 of the signing certificate, base64url (RFC 7515 §4.1.8). */
  readonly 'x5t#S256': string
}
const UTF8 = new TextDecoder('utf-8', { fatal: true })
/** The last second of the year 9999: no later one has an RFC 3339 form. */
const MAX_IAT = 253_402_300_799

export interface ParsedJws {
  readonly header: ManifestHeader
  readonly payload: Buffer
  readonly signingInput: string
  readonly signature: Buffer
}

// What a key says of itself is computed anew at each question, and each exchange asks four times.
const algorithms = new WeakMap<KeyObject, SignatureAlgorithm>()

/**
 * The algorithm that a key signs with in this profile.
 *
 * @throws ExchangeError `manifest.signer-unknown` when it has none for it.
 */
export function algorithmOf(key: KeyObject): SignatureAlgorithm {
  const known = algorithms.get(key)
  if (known !== undefined) return known
  const found = readAlgorithm(key)
  algorithms.set(key, found)
  return found
}

function readAlgorithm(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') {
    return 'ES256'
  }
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA'
  if (key.asymmetricKeyType === 'rsa') return 'PS256'
  throw new ExchangeError('manifest.signer-unknown', 'the key is of a kind that the profile lacks')
}

/** What is signed of an attached compact JWS (RFC 7515 §5.1), ASCII: for keys that are elsewhere. */
export function jwsSigningInput(header: object, payload: string): string {
  const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url')
  return `${encode(JSON.stringify(header))}.${encode(payload)}`
}

/** The compact JWS of a signing input and its signature; ECDSA in the form r ‖ s (RFC 7518 §3.4). */
export function joinJws(signingInput: string, signature: Buffer): string {
  return `${signingInput}.${signature.toString('base64url')}`
}

/** Signs `payload` as an attached compact JWS (RFC 7515 §7.1). Synchronous: a thread costs more. */
export function signJws(header: ManifestHeader, payload: string, privateKey: KeyObject): string {
  const signingInput = jwsSigningInput(header, payload)
  return joinJws(
    signingInput,
    signBytes(header.alg, Buffer.from(signingInput, 'ascii'), privateKey),
  )
}

/**
 * Takes a compact JWS apart; nothing is verified yet.
 *
 * @throws ExchangeError `manifest.malformed` when it is not three base64url parts with a protected
 *   header of exactly the profile's members. `crit`, `b64` and embedded keys are refused with that.
 */
export function parseJws(jws: string): ParsedJws {
  const parts = jws.split('.')
  const [head, body, tail] = parts
  if (parts.length !== 3 || !head || !body || !tail) throw malformed('it has not three parts')
  const header = readHeader(decodeStrictly(head))
  return {
    header,
    payload: decodeStrictly(body),
    signingInput: `${head}.${body}`,
    signature: decodeStrictly(tail),
  }
}

/** @throws ExchangeError `manifest.signature-invalid` unless `publicKey` made the signature. */
export function verifyJws(jws: ParsedJws, publicKey: KeyObject): void {
  const { alg } = jws.header
  const fits =
    alg === 'RS256' ? publicKey.asymmetricKeyType === 'rsa' : algorithmOf(publicKey) === alg
  const data = Buffer.from(jws.signingInput, 'ascii')
  if (!fits || !verifyBytes(alg, data, publicKey, jws.signature)) {
    throw new ExchangeError('manifest.signature-invalid', `the ${alg} signature does not verify`)
  }
}

function readHeader(bytes: Buffer): ManifestHeader {
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch {
    throw malformed('its header is not JSON')
  }
  const header = (value ?? {}) as Partial<ManifestHeader>
  const { alg, iat, kid } = header
  const x5t = header['x5t#S256']
  const good =
    Object.keys(header).length === 4 &&
    SIGNATURE_ALGORITHMS.includes(alg as SignatureAlgorithm) &&
    Number.isSafeInteger(iat) &&
    iat! >= 0 &&
    iat! <= MAX_IAT &&
    typeof kid === 'string' &&
    typeof x5t === 'string'
  if (!good) throw malformed('its header is not of the profile')
  return header as ManifestHeader
}

// Buffer.from ignores what is not base64url: two spellings of one signature must not both pass.
function decodeStrictly(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw malformed('a part is not base64url')
  return bytes
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } // RFC 7518 §3.5

function signBytes(alg: SignatureAlgorithm, data: Buffer, key: KeyObject): Buffer {
  switch (alg) {
    // The bare key and DER are twice as fast as asking OpenSSL for the 64-byte form.
    case 'ES256':
      return ecdsaDerToRaw(sign('sha256', data, key), 32)
    case 'PS256':
      return sign('sha256', data, { key, ...PSS })
    case 'RS256':
      return sign('sha256', data, key)
    case 'EdDSA':
      return sign(null, data, key)
  }
}

function verifyBytes(
  alg: SignatureAlgorithm,
  data: Buffer,
  key: KeyObject,
  signature: Buffer,
): boolean {
  switch (alg) {
    case 'ES256':
      return signature.length === 64 && verify('sha256', data, key, rawToDer(signature))
    case 'PS256':
      return verify('sha256', data, { key, ...PSS }, signature)
    case 'RS256':
      return verify('sha256', data, key, signature)
    case 'EdDSA':
      return verify(null, data, key, signature)
  }
}

/**
 * ECDSA-Sig-Value (RFC 3279 §2.2.3) to r ‖ s (RFC 7518 §3.4); all lengths up to P-384's fit one byte.
 *
 * @param partBytes length of each of the two: 32 for P-256, 48 for P-384.
 */
export function ecdsaDerToRaw(der: Buffer, partBytes: number): Buffer {
  const raw = Buffer.alloc(2 * partBytes)
  const rLength = der[3]!
  const sLength = der[5 + rLength]!
  const r = der.subarray(4, 4 + rLength)
  const s = der.subarray(6 + rLength, 6 + rLength + sLength)
  r.subarray(Math.max(0, r.length - partBytes)).copy(raw, Math.max(0, partBytes - r.length))
  s.subarray(Math.max(0, s.length - partBytes)).copy(
    raw,
    partBytes + Math.max(0, partBytes - s.length),
  )
  return raw
}

function rawToDer(raw: Buffer): Buffer {
  const integer = (part: Buffer): Buffer => {
    let start = 0
    while (start < 31 && part[start] === 0) start += 1
    const value = part.subarray(start)
    const padding = value[0]! & 0x80 ? [0] : []
    return Buffer.from([0x02, value.length + padding.length, ...padding, ...value])
  }
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.from([0x30, body.length]), body])
}

function malformed(why: string): ExchangeError {
  return new ExchangeError('manifest.malformed', `the manifest's JWS cannot be read: ${why}`)
}
