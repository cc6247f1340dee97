import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import { ExchangeError } from './errors.ts'
import { METHODS } from './methods.ts'

interface ManifestBase {
  readonly version: 1
  /** UUID of the exchange, given by the client gateway; `x-road-request-id`. */
  readonly exchangeId: string
  /** `x-road-id`: the client's own id of the message, or one made for it. */
  readonly messageId: string
  readonly client: string
  readonly service: string
  /** SHA-256 of the header block, base64url. */
  readonly headersDigest: string
  /** SHA-256 of the body, base64url; of the empty string without one. */
  readonly bodyDigest: string
  readonly bodySize: number
  /** The gateway that signs. */
  readonly gateway: string
  /** Number of the catalogue snapshot that it decided by. */
  readonly snapshot: number
}
export interface RequestManifest extends ManifestBase {
  readonly kind: 'request'
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly userId?: string
  readonly issue?: string
  readonly representedParty?: string
  readonly purpose?: string
  /** Digest of the contract under which the call is made (protocol/README.md §13.1). */
  readonly contract?: string
}
export interface ResponseManifest extends ManifestBase {
  readonly kind: 'response'
  readonly status: number
  /** SHA-256 of the request's signed manifest (its compact JWS), base64url. */
  readonly requestDigest: string
}
export type Manifest = RequestManifest | ResponseManifest

type MemberType = 'string' | 'integer'
const BASE: Record<string, MemberType> = {
  exchangeId: 'string',
  messageId: 'string',
  client: 'string',
  service: 'string',
  headersDigest: 'string',
  bodyDigest: 'string',
  bodySize: 'integer',
  gateway: 'string',
  snapshot: 'integer',
}
const REQUIRED: Record<Manifest['kind'], Record<string, MemberType>> = {
  request: { ...BASE, method: 'string', target: 'string' },
  response: { ...BASE, status: 'integer', requestDigest: 'string' },
}
const OPTIONAL = ['userId', 'issue', 'representedParty', 'purpose', 'contract']
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The text that is signed: RFC 8785 canonical JSON. */
export function manifestText(manifest: Manifest): string {
  return canonicalJson(manifest)
}

/** @throws ExchangeError `manifest.malformed`; see {@link parseManifest}. */
export function parseRequestManifest(payload: Uint8Array): RequestManifest {
  return parseManifest(payload, 'request') as unknown as RequestManifest
}

/** @throws ExchangeError `manifest.malformed`; see {@link parseManifest}. */
export function parseResponseManifest(payload: Uint8Array): ResponseManifest {
  return parseManifest(payload, 'response') as unknown as ResponseManifest
}

/**
 * The snapshot that a manifest names, 0 when it cannot be read. Nothing of it is verified: it is enough to look
 * whether there is a newer snapshot (protocol/README.md §5.3).
 */
export function claimedSnapshot(payload: Uint8Array): number {
  try {
    const { snapshot } = JSON.parse(Buffer.from(payload).toString('utf8')) as { snapshot: unknown }
    return Number.isSafeInteger(snapshot) ? Number(snapshot) : 0
  } catch {
    return 0
  }
}

/**
 * Reads the payload of a manifest (protocol/README.md §5.1).
 *
 * The text must be canonical: a repeated member name, which JSON parsers read differently, cannot be.
 *
 * @throws ExchangeError `manifest.malformed` for another version or kind, a missing member, a wrong
 *   type, or text that is not the canonical form of what it says.
 */
function parseManifest(payload: Uint8Array, kind: Manifest['kind']): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = UTF8.decode(payload)
    value = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('it is not an object')
  }
  const manifest = value as Record<string, unknown>
  if (manifest.version !== 1) throw malformed('its version is not 1')
  if (manifest.kind !== kind) throw malformed(`its kind is not ${kind}`)
  for (const [name, type] of Object.entries(REQUIRED[kind])) {
    const member = manifest[name]
    const good =
      type === 'string'
        ? typeof member === 'string'
        : Number.isSafeInteger(member) && Number(member) >= 0
    if (!good) throw malformed(`its member ${name} is missing or of another type`)
  }
  for (const name of OPTIONAL) {
    if (manifest[name] !== undefined && typeof manifest[name] !== 'string') {
      throw malformed(`its member ${name} is not a string`)
    }
  }
  if (!UUID.test(manifest.exchangeId as string)) throw malformed('its exchange id is not a UUID')
  if (kind === 'request' && !METHODS.some((method) => method === manifest.method)) {
    throw malformed('its method is not one of the protocol')
  }
  if (!isCanonical(manifest, text)) throw malformed('it is not canonical JSON')
  return manifest
}

function isCanonical(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text
  } catch {
    return false // a number with a fraction, or a lone surrogate
  }
}

/** What `requestDigest` holds: SHA-256 of a compact JWS, base64url. */
export function jwsDigest(jws: string): string {
  return createHash('sha256').update(jws, 'ascii').digest('base64url')
}

/** The value of `x-road-request-hash`: SHA-512 of the request's compact JWS, base64. */
export function requestHash(jws: string): string {
  return createHash('sha512').update(jws, 'ascii').digest('base64')
}

function malformed(why: string): ExchangeError {
  return new ExchangeError('manifest.malformed', `the manifest cannot be read: ${why}`)
}
