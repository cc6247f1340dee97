import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import { ExchangeError } from './errors.ts'
import { formatId, readClientId, readServiceId } from './identifiers.ts'
import { METHODS } from './methods.ts'
import type { Endpoint } from './snapshot.ts'

/** Calls that a contract allows, and what of their answers (protocol/README.md §13.1, §13.3). */
export interface ContractEndpoint extends Endpoint {
  /** JSON pointers into answers (RFC 6901), `*` for any one token; absent: all fields. */
  readonly fields?: readonly string[]
}

/** What a client may ask of a service, agreed by both members (protocol/README.md §13.1). */
export interface Contract {
  readonly version: 1
  readonly kind: 'contract'
  /** UUID. */
  readonly id: string
  /** A subsystem or member identifier, or `group:CODE`. */
  readonly client: string
  readonly service: string
  readonly endpoints: readonly ContractEndpoint[]
  /** In ascending order; empty: any purpose, and none. */
  readonly purposes: readonly string[]
  /** RFC 3339, UTC. */
  readonly validFrom: string
  readonly validUntil: string
  readonly quota?: { readonly perSecond?: number; readonly perDay?: number }
  /** Of a request. */
  readonly maxBodyBytes?: number
  /** What happens to fields of answers that `fields` does not have. */
  readonly otherFields: 'refuse' | 'strip'
  readonly user?: 'named' | 'token'
  readonly case?: boolean
  readonly reason: string
  /** Digest of the request or contract that this one answers, narrows or renews. */
  readonly follows?: string
}

/** What a member says of a request or contract (protocol/README.md §13.4). */
export interface ContractStatement {
  readonly version: 1
  readonly kind: 'refusal' | 'revocation'
  /** Digest of the request or contract that is meant. */
  readonly contract: string
  readonly reason: string
}

/** Members that a contract is between; no client of a contract for a group. */
export interface ContractParties {
  readonly client: string | undefined
  readonly provider: string
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const DIGEST = /^[A-Za-z0-9_-]{43}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
const PATTERN = /^(\/(\*|[^*/]*))*(\/\*\*)?$/
/** RFC 6901 §3: `~` stands only before 0 and 1. */
const POINTER = /^(\/([^~/]|~[01])*)*$/
/** Visible in one line, and not blank. */
const TEXT = /^(?=.*\S)[^\p{Cc}\p{Cs}]+$/u
const MAX_ENTRIES = 1000
const MAX_TEXT = 2000

/** The text that is signed: RFC 8785 canonical JSON. @throws TypeError see canonicalJson. */
export function contractText(content: Contract | ContractStatement): string {
  return canonicalJson(content)
}

/** SHA-256 of the signed bytes, base64url: what manifests and statements name. */
export function contractDigest(payload: Uint8Array | string): string {
  return createHash('sha256').update(payload).digest('base64url')
}

/** @param contract one that was parsed: its identifiers are good. */
export function partiesOf({ client, service }: Contract): ContractParties {
  const memberIn = (id: string): string => id.split('/', 3).join('/')
  return {
    client: client.startsWith('group:') ? undefined : memberIn(client),
    provider: memberIn(service),
  }
}

/**
 * Reads what was signed (protocol/README.md §13.1, §13.4). Unknown members are refused, and text that is not
 * canonical.
 *
 * @throws ExchangeError `contract.malformed` naming the member.
 */
export function parseContract(payload: Uint8Array): Contract | ContractStatement {
  const value = parseObject(payload)
  if (value.version !== 1) throw malformed('version is not 1')
  if (value.kind === 'contract') return readContract(value)
  if (value.kind !== 'refusal' && value.kind !== 'revocation') {
    throw malformed('kind is none of contract, refusal, revocation')
  }
  exactly(value, ['version', 'kind', 'contract', 'reason'])
  need(isDigest(value.contract), 'contract')
  need(isText(value.reason), 'reason')
  return value as unknown as ContractStatement
}

function parseObject(payload: Uint8Array): Record<string, unknown> {
  let text: string
  let value: unknown
  try {
    text = UTF8.decode(payload)
    value = JSON.parse(text)
  } catch {
    throw malformed('it is not JSON')
  }
  if (!isObject(value)) throw malformed('it is not an object')
  if (!isCanonical(value, text)) throw malformed('it is not canonical JSON')
  return value
}

const REQUIRED = [
  ...(['version', 'kind', 'id', 'client', 'service', 'endpoints', 'purposes'] as const),
  ...(['validFrom', 'validUntil', 'otherFields', 'reason'] as const),
]
const OPTIONAL = ['quota', 'maxBodyBytes', 'user', 'case', 'follows']

function readContract(value: Record<string, unknown>): Contract {
  exactly(value, REQUIRED, OPTIONAL)
  need(typeof value.id === 'string' && UUID.test(value.id), 'id')
  need(isClient(value.client), 'client')
  need(
    isIdentifier(value.service, (text) => formatId(readServiceId(text))),
    'service',
  )
  const { endpoints, purposes, validFrom, validUntil, quota } = value
  need(isList(endpoints) && endpoints.length > 0, 'endpoints')
  endpoints.forEach((endpoint, i) => readEndpoint(endpoint, `endpoints/${i}`))
  need(isList(purposes) && purposes.every((purpose) => isText(purpose)), 'purposes')
  need(isAscending(purposes as string[]), 'purposes (in ascending order, each once)')
  need(isTime(validFrom), 'validFrom')
  need(isTime(validUntil) && validUntil > (validFrom as string), 'validUntil')
  if (quota !== undefined) {
    need(isObject(quota), 'quota')
    exactly(quota, [], ['perSecond', 'perDay'])
    for (const [name, calls] of Object.entries(quota)) need(isPositive(calls), `quota/${name}`)
  }
  need(value.maxBodyBytes === undefined || isPositive(value.maxBodyBytes), 'maxBodyBytes')
  need(value.otherFields === 'refuse' || value.otherFields === 'strip', 'otherFields')
  need([undefined, 'named', 'token'].includes(value.user as string | undefined), 'user')
  need(value.case === undefined || typeof value.case === 'boolean', 'case')
  need(isText(value.reason), 'reason')
  need(value.follows === undefined || isDigest(value.follows), 'follows')
  return value as unknown as Contract
}

function readEndpoint(value: unknown, where: string): void {
  need(isObject(value), where)
  exactly(value, ['method', 'path'], ['fields'], `${where}/`)
  need(value.method === '*' || METHODS.some((m) => m === value.method), `${where}/method`)
  const { path, fields } = value
  need(typeof path === 'string' && path.length <= MAX_TEXT && PATTERN.test(path), `${where}/path`)
  if (fields === undefined) return
  need(isList(fields) && fields.length > 0, `${where}/fields`)
  fields.forEach((field, i) => {
    const good = typeof field === 'string' && field.length <= MAX_TEXT && POINTER.test(field)
    need(good, `${where}/fields/${i}`)
  })
}

function exactly(
  value: Record<string, unknown>,
  required: readonly string[],
  optional: readonly string[] = [],
  where = '',
): void {
  for (const name of required) {
    if (!Object.hasOwn(value, name)) throw malformed(`${where}${name} is missing`)
  }
  for (const name of Object.keys(value)) {
    if (required.includes(name) || optional.includes(name)) continue
    throw malformed(`${where}${name} is not a member that this version knows`)
  }
}

function need(condition: boolean, where: string): asserts condition {
  if (!condition) throw malformed(`${where} is not what it has to be`)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isList = (value: unknown): value is unknown[] =>
  Array.isArray(value) && value.length <= MAX_ENTRIES
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_TEXT && TEXT.test(value)
const isDigest = (value: unknown): value is string =>
  typeof value === 'string' && DIGEST.test(value)
const isPositive = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0
const isAscending = (texts: readonly string[]): boolean =>
  texts.every((text, i) => i === 0 || texts[i - 1]! < text)

/** A day that the calendar lacks is none: Date would take 30 February for 1 or 2 March. */
function isTime(value: unknown): value is string {
  if (typeof value !== 'string' || !TIME.test(value)) return false
  const time = new Date(value)
  return !Number.isNaN(time.getTime()) && time.toISOString() === value.replace('Z', '.000Z')
}

function isClient(value: unknown): boolean {
  if (typeof value === 'string' && value.startsWith('group:')) {
    return isIdentifier(`I/C/${value.slice(6)}`, (text) => formatId(readClientId(text)))
  }
  return isIdentifier(value, (text) => formatId(readClientId(text)))
}

function isIdentifier(value: unknown, read: (text: string) => string): boolean {
  if (typeof value !== 'string') return false
  try {
    return read(value) === value
  } catch (error) {
    if (error instanceof ExchangeError) return false
    throw error
  }
}

/** Whether `text` is the canonical form of `value`. */
export function isCanonical(value: unknown, text: string): boolean {
  try {
    return canonicalJson(value) === text
  } catch (error) {
    if (error instanceof TypeError) return false // a number with a fraction, or a lone surrogate
    throw error
  }
}

function malformed(why: string): ExchangeError {
  return new ExchangeError('contract.malformed', `the contract cannot be read: ${why}`)
}
