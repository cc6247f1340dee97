import type { KeyObject } from 'node:crypto'
import { Ajv, type JSONSchemaType } from 'ajv'
import { compactVerify, errors } from 'jose'
import { canonicalJson } from './canonical-json.ts'
import { ExchangeError, refusedAs } from './errors.ts'
import { readClientId, readGatewayId } from './identifiers.ts'
import { LIMITS } from './limits.ts'
import { NOTE_TYPE, NoteError, parseVkey, type NoteType } from './signed-note.ts'

/** A certificate to be listed: for the gateway itself, or for a member that it signs for. */
export interface RegistrationCertificate {
  readonly kind: 'authentication' | 'signing'
  /** DER, base64. */
  readonly der: string
}
/** A key of a gateway's log or witness, and where it is reached (protocol/README.md §12.4). */
export interface RegistrationKey {
  /** Verifier key of C2SP signed-note. */
  readonly vkey: string
  /** Of the log: the prefix of its tiles; of the witness: the submission prefix. */
  readonly url?: string
}
/** What a gateway tells the catalogue about itself (protocol/README.md §7.7). */
export interface Registration {
  readonly version: 1
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`, decoded form. */
  readonly gateway: string
  /** `https://HOST:PORT`; for a gateway that is new. */
  readonly address?: string
  /** Subsystems that it speaks for, decoded form; for a gateway that is new. */
  readonly clients?: readonly string[]
  readonly certificates: readonly RegistrationCertificate[]
  /** The key that signs the checkpoints of its log, when it has one. */
  readonly log?: RegistrationKey
  /** Its key as a witness, when it is one; with `url`. */
  readonly witness?: RegistrationKey
  /** OCSP answer about the certificate that signs this, DER, base64. */
  readonly ocsp: string
  /** Time of signing in Unix seconds. */
  readonly iat: number
}

export const REGISTRATION_TYPE = 'spean-registration'
export const REGISTRATION_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'] as const
export type RegistrationAlgorithm = (typeof REGISTRATION_ALGORITHMS)[number]

export interface RegistrationHeader {
  readonly typ: typeof REGISTRATION_TYPE
  readonly alg: RegistrationAlgorithm
  /** The authentication certificate that signs, then those between it and the root; DER, base64. */
  readonly x5c: readonly string[]
}

export interface ParsedRegistration {
  readonly header: RegistrationHeader
  readonly registration: Registration
  readonly jws: string
}

const ajv = new Ajv()
const base64 = (maxLength: number) =>
  ({ type: 'string', minLength: 4, maxLength, pattern: '^[A-Za-z0-9+/]+={0,2}$' }) as const
const isHeader = ajv.compile<RegistrationHeader>({
  type: 'object',
  additionalProperties: false,
  required: ['typ', 'alg', 'x5c'],
  properties: {
    typ: { type: 'string', const: REGISTRATION_TYPE },
    alg: { type: 'string', enum: REGISTRATION_ALGORITHMS },
    x5c: { type: 'array', minItems: 1, maxItems: 6, items: base64(16_384) },
  },
} as unknown as JSONSchemaType<RegistrationHeader>)
// Unknown members are ignored, so that a later minor version can add some (protocol/README.md §1.3).
const registrationKey = {
  type: 'object',
  required: ['vkey'],
  properties: {
    vkey: { type: 'string', minLength: 1, maxLength: 1000, pattern: '^[^+]+\\+[0-9a-f]{8}\\+.+$' },
    url: { type: 'string', maxLength: 300, pattern: '^https://[^\\s?#@]+$' },
  },
} as const
const isRegistration = ajv.compile<Registration>({
  type: 'object',
  required: ['version', 'gateway', 'certificates', 'ocsp', 'iat'],
  properties: {
    version: { type: 'integer', const: 1 },
    gateway: { type: 'string' },
    address: { type: 'string', maxLength: 300 },
    clients: { type: 'array', maxItems: 100, items: { type: 'string' } },
    log: registrationKey,
    witness: registrationKey,
    certificates: {
      type: 'array',
      minItems: 1,
      maxItems: 16,
      items: {
        type: 'object',
        required: ['kind', 'der'],
        properties: {
          kind: { type: 'string', enum: ['authentication', 'signing'] },
          der: base64(16_384),
        },
      },
    },
    ocsp: base64(16_384),
    iat: { type: 'integer', minimum: 0, maximum: 253_402_300_799 },
  },
} as unknown as JSONSchemaType<Registration>)

/** The payload that is signed: canonical JSON (RFC 8785). */
export const registrationText = (registration: Registration): string => canonicalJson(registration)

/**
 * Takes a registration apart; nothing is verified yet.
 *
 * @throws ExchangeError `registration.malformed` for what is not of the form of §7.7.
 */
export function parseRegistration(jws: string): ParsedRegistration {
  if (jws.length > LIMITS.registrationBytes) throw malformed('it is too long')
  const parts = jws.split('.')
  const [head, body, tail] = parts
  if (parts.length !== 3 || !head || !body || !tail) throw malformed('it has not three parts')
  decodeStrictly(tail)
  const header = parseJson(decodeStrictly(head)).value
  if (!isHeader(header)) throw malformed('its header is not of the profile')
  const { text, value } = parseJson(decodeStrictly(body))
  if (!isRegistration(value)) throw malformed('its payload is not of the profile')
  if (!isCanonical(value, text)) throw malformed('its payload is not canonical')
  refusedAs('registration.malformed', undefined, () => {
    readIdentifiers(value)
  })
  readKeys(value)
  return { header, registration: value, jws }
}

/**
 * Verifies signature and time; whose the certificate is, is for the catalogue to judge.
 *
 * @param publicKey of the first certificate in `x5c`.
 * @throws ExchangeError `registration.signature-invalid`, `registration.time-invalid`.
 */
export async function verifyRegistration(
  { jws, header, registration }: ParsedRegistration,
  publicKey: KeyObject,
  at: Date,
): Promise<void> {
  if (!(await isSignedBy(jws, header.alg, publicKey))) {
    throw new ExchangeError(
      'registration.signature-invalid',
      `the ${header.alg} signature does not verify with the certificate that came with it`,
    )
  }
  const ageSeconds = at.getTime() / 1000 - registration.iat
  if (Math.abs(ageSeconds) <= LIMITS.signatureAgeSeconds) return
  throw new ExchangeError(
    'registration.time-invalid',
    `signed at ${new Date(registration.iat * 1000).toISOString()}, received at ${at.toISOString()}`,
  )
}

async function isSignedBy(
  jws: string,
  alg: RegistrationAlgorithm,
  publicKey: KeyObject,
): Promise<boolean> {
  const { asymmetricKeyType: type, asymmetricKeyDetails = {} } = publicKey
  const isRsa = type === 'rsa' && (asymmetricKeyDetails.modulusLength ?? 0) >= MIN_RSA_BITS
  const fits: Record<RegistrationAlgorithm, boolean> = {
    ES256: asymmetricKeyDetails.namedCurve === 'prime256v1',
    ES384: asymmetricKeyDetails.namedCurve === 'secp384r1',
    PS256: isRsa,
    RS256: isRsa,
    EdDSA: type === 'ed25519',
  }
  if (!fits[alg]) return false
  try {
    await compactVerify(jws, publicKey, { algorithms: [alg] })
    return true
  } catch (error) {
    if (error instanceof errors.JOSEError) return false
    throw error
  }
}

const MIN_RSA_BITS = 2048 // RFC 7518 §3.3, §3.5

function readIdentifiers({ gateway, clients = [] }: Registration): void {
  readGatewayId(gateway)
  for (const client of clients) readClientId(client)
}

function readKeys({ log, witness }: Registration): void {
  const wanted = [
    [log, NOTE_TYPE.ed25519],
    [witness, NOTE_TYPE.cosignature],
  ] as const
  for (const [key, type] of wanted) {
    if (key !== undefined && noteTypeOf(key.vkey) !== type) {
      throw malformed('a verifier key is not one of its kind')
    }
  }
  if (witness !== undefined && witness.url === undefined) throw malformed('a witness has no url')
}

function noteTypeOf(vkey: string): NoteType | undefined {
  try {
    return parseVkey(vkey).type
  } catch (error) {
    if (error instanceof NoteError) return undefined
    throw error
  }
}

function isCanonical(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}

function parseJson(bytes: Buffer): { text: string; value: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return { text, value: JSON.parse(text) }
  } catch {
    throw malformed('a part is not JSON')
  }
}

// Buffer.from ignores what is not base64url: two spellings of one signature must not both pass.
function decodeStrictly(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw malformed('a part is not base64url')
  return bytes
}

function malformed(why: string): ExchangeError {
  return new ExchangeError('registration.malformed', `the registration cannot be read: ${why}`)
}
