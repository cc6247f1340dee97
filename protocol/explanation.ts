/** What gateways ask and answer of a call that is not made (protocol/README.md §15). */
import { errorEntry, ExchangeError, isErrorCode, type ErrorCode } from './errors.ts'
import { LIMITS } from './limits.ts'
import { moveOf } from './problem.ts'
import { readBasis, readStep, type Basis, type Move } from './refusal.ts'

/** Where a gateway asks another one. */
export const EXPLAIN_PATH = '/spean/v1/explain'

/** A call that is not made. What is absent is not said, but for the body, of which it is not known. */
export interface SupposedCall {
  /** Decoded form. */
  readonly client: string
  readonly method: string
  /** As in the request line: `/r1/…`, path and query. */
  readonly target: string
  readonly purpose?: string
  readonly userId?: string
  readonly issue?: string
  /** Digest. */
  readonly contract?: string
  readonly bodySize?: number
  readonly contentType?: string
  /** Whether a signed token of the user would be there. */
  readonly hasToken: boolean
}

/** One check of a step; nothing but the first of them that refuses would be told of the call itself. */
export interface ExplainedCheck {
  readonly side: 'client' | 'provider'
  /** Of protocol/README.md §6. */
  readonly step: string
  readonly check: string
  readonly outcome: 'passes' | 'refuses' | 'not-judged'
  /** Of a refusal its sentence; of what is not judged why not; of what passes by what, if there is more to say. */
  readonly detail?: string
  readonly code?: ErrorCode
  readonly basis?: Basis
  readonly move?: Move
  readonly remedy?: string
  /** Seconds. */
  readonly retryAfter?: number
}

/** What a provider's gateway answers: its checks, or that it tells nothing, and why. */
export type ProviderAnswer =
  | { readonly snapshot: number; readonly checks: readonly ExplainedCheck[] }
  | { readonly withheld: Withheld }
export type Withheld = 'off' | 'too-often'

/** A check that refused, as it is told. */
export function refusedCheck(
  where: Pick<ExplainedCheck, 'side' | 'step' | 'check'>,
  { code, message, basis, retryAfterSeconds, origin }: ExchangeError,
): ExplainedCheck {
  const party = origin ?? (`${where.side}-gateway` as const)
  return {
    ...where,
    outcome: 'refuses',
    code,
    ...(code === 'internal' ? {} : { detail: message }),
    ...(basis === undefined ? {} : { basis }),
    move: moveOf(code, party, where.step),
    remedy: errorEntry(code).remedy,
    ...(retryAfterSeconds === undefined ? {} : { retryAfter: retryAfterSeconds }),
  }
}

/**
 * Reads the question of another gateway, which set all of it.
 *
 * @throws ExchangeError `request.malformed` for what is not of the form, `request.body-too-large`.
 */
export function parseSupposedCall(body: Uint8Array): SupposedCall {
  if (body.length > LIMITS.explainBytes) {
    const detail = `a question takes ${LIMITS.explainBytes} bytes at most`
    throw new ExchangeError('request.body-too-large', detail)
  }
  return readSupposedCall(parseJson(body))
}

const TEXTS = ['client', 'method', 'target', 'purpose', 'userId', 'issue', 'contentType'] as const
const MANDATORY: readonly string[] = ['client', 'method', 'target']
const DIGEST = /^[A-Za-z0-9_-]{43}$/
const MEMBERS = new Set<string>([...TEXTS, 'contract', 'bodySize', 'hasToken'])

/** The same from a JSON value; unknown members are refused, since a misspelt one would change the answer. */
export function readSupposedCall(value: unknown): SupposedCall {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed('the body is not a JSON object')
  }
  const given = value as Readonly<Record<string, unknown>>
  const other = Object.keys(given).find((name) => !MEMBERS.has(name))
  if (other !== undefined)
    throw malformed(`/${shown(other)} is not one of ${[...MEMBERS].join(', ')}`)
  const texts = TEXTS.flatMap((name) => {
    const text = given[name]
    if (text === undefined && !MANDATORY.includes(name)) return []
    if (typeof text !== 'string' || text.length > LIMITS.targetBytes + 1) {
      throw malformed(`/${name} is not a text of at most ${LIMITS.targetBytes} characters`)
    }
    return text === '' && !MANDATORY.includes(name) ? [] : [[name, text] as const]
  })
  const { contract, bodySize, hasToken = false } = given
  if (contract !== undefined && !(typeof contract === 'string' && DIGEST.test(contract))) {
    throw malformed('/contract is not a digest')
  }
  if (bodySize !== undefined && !(Number.isSafeInteger(bodySize) && (bodySize as number) >= 0)) {
    throw malformed('/bodySize is not a number of bytes')
  }
  if (typeof hasToken !== 'boolean') throw malformed('/hasToken is neither true nor false')
  return {
    ...(Object.fromEntries(texts) as Pick<SupposedCall, 'client' | 'method' | 'target'>),
    ...(contract === undefined ? {} : { contract }),
    ...(bodySize === undefined ? {} : { bodySize: bodySize as number }),
    hasToken,
  }
}

/**
 * Reads the answer of another gateway. Move and remedy come from the own table, as of a refusal.
 *
 * @throws ExchangeError `provider.answer-invalid`.
 */
export function parseProviderAnswer(body: Uint8Array): ProviderAnswer {
  try {
    const { withheld, snapshot, checks } = parseJson(body) as Readonly<Record<string, unknown>>
    if (withheld === 'off' || withheld === 'too-often') return { withheld }
    if (Array.isArray(checks) && checks.length <= MOST_CHECKS && Number.isSafeInteger(snapshot)) {
      return { snapshot: snapshot as number, checks: checks.map(readCheck) }
    }
  } catch (error) {
    if (!(error instanceof ExchangeError || error instanceof TypeError)) throw error
  }
  throw new ExchangeError('provider.answer-invalid', 'the explanation is not of the form of §15')
}

const MOST_CHECKS = 64
/** As of a refusal's `Retry-After` (protocol/README.md §8.1). */
const isSeconds = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 999_999

function readCheck(value: unknown): ExplainedCheck {
  const given = value as Readonly<Record<string, unknown>>
  const step = readStep(given.step)
  const { check, outcome, code, detail, retryAfter } = given
  if (step === undefined || typeof check !== 'string') throw malformed('no check')
  const where = { side: 'provider', step, check: check.slice(0, 100) } as const
  const basis = readBasis(given.basis)
  const text = typeof detail === 'string' ? detail.slice(0, 1000) : undefined
  if (outcome === 'refuses') {
    if (!isErrorCode(code)) throw malformed('a code that is unknown')
    const refusal = new ExchangeError(code, text ?? errorEntry(code).title)
    if (basis) refusal.basis = basis
    if (isSeconds(retryAfter)) refusal.retryAfterSeconds = retryAfter
    return refusedCheck(where, refusal)
  }
  if (outcome !== 'passes' && outcome !== 'not-judged') throw malformed('an outcome that is none')
  const more = { ...(text === undefined ? {} : { detail: text }), ...(basis ? { basis } : {}) }
  return { ...where, outcome, ...more }
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw malformed('the body is not JSON in UTF-8')
  }
}

/** Names that a stranger chose are told as far as they look like one. */
const shown = (name: string): string => (/^[A-Za-z_-]{1,40}$/.test(name) ? name : '*')

const malformed = (detail: string): ExchangeError => new ExchangeError('request.malformed', detail)
