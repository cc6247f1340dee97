/** The next anchor, signed by the one before (protocol/README.md §7.10). */
import { isUtf8 } from 'node:buffer'
import { Ajv, type JSONSchemaType } from 'ajv'
import {
  base64url,
  calculateJwkThumbprint,
  errors,
  flattenedVerify,
  importJWK,
  type JWK,
} from 'jose'
import { canonicalJson } from './canonical-json.ts'
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'
import type { Anchor } from './snapshot.ts'

export const ANCHOR_TYPE = 'spean-anchor'
export const ANCHOR_MEDIA_TYPE = 'application/jose+json'

/** An anchor as a statement holds it. */
export interface NumberedAnchor extends Anchor {
  readonly number: number
  readonly issuedAt?: string
}
/** Everything that a statement says. */
export interface AnchorContent extends NumberedAnchor {
  readonly version: 1
  readonly issuedAt: string
}
/** One that signs: `sign` makes the signature of RFC 7515 §5.1 over the input, ASCII. */
export interface AnchorSigner {
  readonly alg: string
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly sign: (input: string) => Promise<Buffer> | Buffer
}

const ALGORITHMS = ['ES256', 'ES384', 'PS256', 'EdDSA']
const ALGORITHM_OF: Readonly<Record<string, string>> = {
  'P-256': 'ES256',
  'P-384': 'ES384',
  Ed25519: 'EdDSA',
}
/** Parts of private or shared keys (RFC 7518 §6). */
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Most of them in an anchor. */
export const ANCHOR_KEYS = 8
/** Most of them in an anchor, and characters of each. */
export const ANCHOR_ROOTS = { count: 64, pemLength: 16_384 } as const

const text = { type: 'string', maxLength: 16_384 } as const
const exactly = <P extends Record<string, unknown>>(properties: P) => ({
  type: 'object' as const,
  additionalProperties: false,
  required: Object.keys(properties),
  properties,
})
const ajv = new Ajv()
const compile = <T>(schema: object) => ajv.compile<T>(schema as unknown as JSONSchemaType<T>)
interface Signature {
  readonly protected: string
  readonly signature: string
}
interface Header {
  readonly alg: string
  readonly kid: string
  readonly typ: string
}
const isSerialisation = compile<{ payload: string; signatures: Signature[] }>(
  exactly({
    payload: { type: 'string' },
    signatures: {
      type: 'array',
      minItems: 1,
      maxItems: 16,
      items: exactly({ protected: text, signature: text }),
    },
  }),
)
const isHeader = compile<Header>(
  exactly({
    alg: { type: 'string', enum: ALGORITHMS },
    kid: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
    typ: { type: 'string', const: ANCHOR_TYPE },
  }),
)
const isContent = compile<AnchorContent>(
  exactly({
    version: { type: 'integer', const: 1 },
    instance: { type: 'string', minLength: 1, maxLength: LIMITS.identifierPartLength },
    number: { type: 'integer', minimum: 2, maximum: Number.MAX_SAFE_INTEGER },
    issuedAt: {
      type: 'string',
      pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$',
    },
    catalogueUrl: { type: 'string', pattern: '^https://', maxLength: 2048 },
    keys: {
      type: 'array',
      minItems: 1,
      maxItems: ANCHOR_KEYS,
      items: { type: 'object', required: ['kty', 'kid'], properties: { kty: text, kid: text } },
    },
    rootCertificates: {
      type: 'array',
      minItems: 1,
      maxItems: ANCHOR_ROOTS.count,
      items: {
        type: 'string',
        maxLength: ANCHOR_ROOTS.pemLength,
        pattern: '^-----BEGIN CERTIFICATE-----',
      },
    },
  }),
)

/** 1 for one that says nothing. */
export const numberOf = ({ number = 1 }: Pick<Anchor, 'number'>): number => number

/** RFC 7638 thumbprints of its keys in their order, whatever `kid` they bear; empty of one that is no key. */
export function thumbprintsOf({ keys }: { readonly keys: readonly JWK[] }): Promise<string[]> {
  return Promise.all(keys.map((key) => calculateJwkThumbprint(key).catch(() => '')))
}

/** What travels. The signers are a key of the anchor before, and all keys that are new. */
export async function signAnchor(
  content: AnchorContent,
  signers: readonly AnchorSigner[],
): Promise<string> {
  const payload = base64url.encode(canonicalJson(content))
  const signatures = await Promise.all(
    signers.map(async ({ alg, kid, sign }) => {
      const head = base64url.encode(JSON.stringify({ alg, kid, typ: ANCHOR_TYPE } satisfies Header))
      const signature = await sign(`${head}.${payload}`)
      return { protected: head, signature: signature.toString('base64url') }
    }),
  )
  return canonicalJson({ payload, signatures })
}

/**
 * Takes the anchor after `previous`.
 *
 * @param statement set by whoever answers for the catalogue, before anything is verified.
 * @throws ExchangeError `anchor.malformed`, `anchor.not-next`, `anchor.signature-invalid`.
 */
export async function verifyAnchorStatement(
  statement: string,
  previous: Anchor,
): Promise<AnchorContent> {
  const { content, payload, signatures } = await parseAnchorStatement(statement)
  const next = numberOf(previous) + 1
  if (content.instance !== previous.instance) {
    throw notNext(`it is of ${content.instance}, this is ${previous.instance}`)
  }
  if (content.number !== next) {
    throw notNext(`it has the number ${content.number}, and ${next} comes next`)
  }
  const old = await thumbprintsOf(previous)
  const keys = new Map<string, JWK>(content.keys.map((key) => [key.kid!, key]))
  for (const [index, thumbprint] of old.entries()) keys.set(thumbprint, previous.keys[index]!)
  for (const { header, ...signature } of signatures) {
    const key = keys.get(header.kid)
    if (key === undefined) throw unsigned(`${header.kid}, which signed it, is in neither anchor`)
    await verifySignature({ payload, ...signature }, header, key)
  }
  const signers = new Set(signatures.map(({ header }) => header.kid))
  if (!old.some((thumbprint) => signers.has(thumbprint))) {
    throw unsigned(`no key of anchor ${next - 1} signed it`)
  }
  const silent = content.keys.find(({ kid }) => !old.includes(kid!) && !signers.has(kid!))
  if (silent !== undefined) throw unsigned(`its new key ${silent.kid} did not sign it`)
  return content
}

/** What a statement says, of which nothing is verified yet. @throws ExchangeError `anchor.malformed`. */
export async function parseAnchorStatement(statement: string): Promise<{
  readonly content: AnchorContent
  readonly payload: string
  readonly signatures: readonly (Signature & { readonly header: Header })[]
}> {
  if (Buffer.byteLength(statement) > LIMITS.anchorBytes) throw malformed('it is too long')
  const outer = parseJson(statement)
  if (!isSerialisation(outer)) throw malformed('it is no JWS in general JSON serialisation')
  const signatures = outer.signatures.map((one) => {
    const header = parseJson(decodeStrictly(one.protected))
    if (!isHeader(header)) throw malformed('a protected header has other members than it should')
    decodeBytes(one.signature)
    return { ...one, header }
  })
  if (new Set(signatures.map(({ header }) => header.kid)).size !== signatures.length) {
    throw malformed('one key signed it twice')
  }
  const payload = decodeStrictly(outer.payload)
  const content = parseJson(payload)
  if (!isContent(content)) throw malformed(`what it says has another form (${faultOf()})`)
  verifyCanonical(content, payload)
  if (!URL.canParse(content.catalogueUrl)) throw malformed('catalogueUrl is no URL')
  if (Number.isNaN(Date.parse(content.issuedAt))) throw malformed('issuedAt is no time')
  await verifyKeys(content.keys)
  return { content, payload: outer.payload, signatures }
}

/** Also of a number or a text that has no canonical form, or of members within members without end. */
function verifyCanonical(content: AnchorContent, payload: string): void {
  let canonical: string | undefined
  try {
    canonical = canonicalJson(content)
  } catch (cause) {
    if (!(cause instanceof TypeError) && !(cause instanceof RangeError)) throw cause
  }
  if (canonical !== payload) throw malformed('its payload is not canonical')
}

async function verifyKeys(keys: readonly JWK[]): Promise<void> {
  if (keys.some((key) => PRIVATE_PARTS.some((part) => part in key))) {
    throw malformed('a key in it is not a public one')
  }
  const thumbprints = await thumbprintsOf({ keys })
  const isNamed = keys.every(({ kid }, index) => kid === thumbprints[index])
  if (!isNamed || new Set(thumbprints).size !== keys.length) {
    throw malformed('a key in it has no kid that is its thumbprint, or stands twice')
  }
  for (const key of keys) await importPublic(key, key.alg ?? ALGORITHM_OF[key.crv ?? ''] ?? 'PS256')
}

async function importPublic(key: JWK, alg: string): ReturnType<typeof importJWK> {
  try {
    return await importJWK(key, alg)
  } catch (cause) {
    throw malformed(`the key ${key.kid} cannot be used with ${alg}`, cause)
  }
}

async function verifySignature(
  jws: Signature & { readonly payload: string },
  { alg, kid }: Header,
  key: JWK,
): Promise<void> {
  try {
    await flattenedVerify(jws, await importPublic(key, alg), { algorithms: ALGORITHMS })
  } catch (cause) {
    const isRefusal = cause instanceof errors.JOSEError || cause instanceof TypeError
    if (!isRefusal && !(cause instanceof ExchangeError)) throw cause
    throw unsigned(`the signature of ${kid} does not verify`, cause)
  }
}

/** Decoders pass over stray characters and bits: one statement has one spelling. */
function decodeBytes(encoded: string): Buffer {
  const bytes = Buffer.from(encoded, 'base64url')
  if (bytes.toString('base64url') !== encoded) throw malformed('it is not base64url')
  return bytes
}

function decodeStrictly(encoded: string): string {
  const bytes = decodeBytes(encoded)
  if (!isUtf8(bytes)) throw malformed('it is not UTF-8')
  return bytes.toString('utf8')
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function faultOf(): string {
  const [first] = isContent.errors ?? []
  return first === undefined ? 'not JSON' : `${first.instancePath || '/'} ${first.message}`
}

const malformed = (why: string, cause?: unknown): ExchangeError =>
  new ExchangeError('anchor.malformed', `the anchor statement is not one: ${why}`, { cause })
const notNext = (why: string): ExchangeError =>
  new ExchangeError('anchor.not-next', `the anchor statement is not the next: ${why}`)
const unsigned = (why: string, cause?: unknown): ExchangeError =>
  new ExchangeError('anchor.signature-invalid', `the anchor statement: ${why}`, { cause })

/** Asked for one statement after the other in one go; what follows is for the next time. */
const LONGEST_CHAIN = 1024

/**
 * The anchors after `anchor`, each taken by the one before, until there is none.
 *
 * @param get the statement of a number; undefined when there is none.
 * @yields each, verified.
 * @throws ExchangeError of {@link verifyAnchorStatement}, and whatever `get` throws.
 */
export async function* anchorsAfter(
  anchor: Anchor,
  get: (number: number) => Promise<string | undefined>,
): AsyncGenerator<AnchorContent> {
  let last = anchor
  for (let links = 0; links < LONGEST_CHAIN; links += 1) {
    const statement = await get(numberOf(last) + 1)
    if (statement === undefined) return
    const content = await verifyAnchorStatement(statement, last)
    last = content
    yield content
  }
}
