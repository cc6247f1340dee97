import { errorEntry, ExchangeError, isErrorCode, type ErrorCode, type Origin } from './errors.ts'
import { MOVE_WORDS, readBasis, readStep, type Basis, type Move } from './refusal.ts'

/** RFC 9457 problem document, with our extension members (protocol/README.md §8.1). */
export interface Problem {
  readonly type: `urn:spean:error:${ErrorCode}`
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: ErrorCode
  readonly fault: string
  readonly origin: Origin
  /** The step of protocol/README.md §6 that decided. */
  readonly step?: string
  readonly basis?: Basis
  /** Who can act on the remedy. */
  readonly move: Move
  readonly remedy: string
  readonly exchangeId: string
}

/** Body of X-Road's REST errors (PR-REST §4.6), the default form. */
export interface XRoadFault {
  readonly type: string
  readonly message: string
  readonly detail: string
}

const SIDES: Record<Origin, { fault: string; did: string }> = {
  'client-gateway': { fault: 'clientproxy', did: 'The client gateway refused' },
  'provider-gateway': { fault: 'serverproxy', did: 'The provider gateway refused' },
  service: { fault: 'serverproxy', did: 'The service failed' },
  catalogue: { fault: 'catalogue', did: 'The catalogue refused' },
  authority: { fault: 'authority', did: 'The authority refused' },
}

/** X-Road fault code, 7.8 form: the value of `X-Road-Error`. */
export function faultCode(code: ErrorCode, origin: Origin): string {
  return errorEntry(code).fault.replace('$', SIDES[origin].fault)
}

export const isOrigin = (value: unknown): value is Origin =>
  typeof value === 'string' && Object.hasOwn(SIDES, value)

const OTHER_SIDE: Record<Origin, Move> = {
  'client-gateway': 'provider-gateway',
  'provider-gateway': 'client-gateway',
  service: 'client-gateway',
  catalogue: 'client',
  authority: 'client',
}
const THIS_SIDE: Record<Origin, Move> = {
  'client-gateway': 'client-gateway',
  'provider-gateway': 'provider-gateway',
  service: 'provider-gateway',
  catalogue: 'instance',
  authority: 'instance',
}

/**
 * Whose move it is after a refusal (protocol/README.md §8.4).
 *
 * @param step in `identify-client` the other side is the information system, in `call-service` the service.
 */
export function moveOf(code: ErrorCode, origin: Origin, step?: string): Move {
  const { move } = errorEntry(code)
  if (move === 'here') return THIS_SIDE[origin]
  if (move !== 'there') return move
  if (step === 'call-service') return 'provider'
  return step === 'identify-client' ? 'client' : OTHER_SIDE[origin]
}

/**
 * Turns whatever was thrown into what the caller may see. This is the one place that decides it:
 * the detail of an `internal` error stays in our log, under the same exchange id.
 */
export function toProblem(error: unknown, here: Origin, exchangeId: string): Problem {
  const known = error instanceof ExchangeError ? error : undefined
  const code = known?.code ?? 'internal'
  const { status, title, remedy } = errorEntry(code)
  const origin = known?.origin ?? here
  const detail = known && code !== 'internal' ? { detail: known.message } : {}
  const { step, basis } = known ?? {}
  return {
    type: `urn:spean:error:${code}`,
    title,
    status,
    ...detail,
    code,
    fault: faultCode(code, origin),
    origin,
    ...(step === undefined ? {} : { step }),
    ...(basis === undefined ? {} : { basis }),
    move: moveOf(code, origin, step),
    remedy,
    exchangeId,
  }
}

/** `detail` is the id under which both gateways have the refusal in their logs. */
export function toXRoadFault(problem: Problem): XRoadFault {
  const { detail = problem.title, code, origin, move, remedy, exchangeId, fault } = problem
  const why = `${SIDES[origin].did} (${code}): ${detail.replace(/\.$/, '')}.`
  const sentence = `${why} ${remedy} To act: ${MOVE_WORDS[move]}.`
  return { type: fault, message: sentence, detail: exchangeId }
}

/** Reads a problem another gateway sent. What we do not recognise is that gateway's fault. */
export function fromProblem(body: unknown): ExchangeError {
  const given = (body ?? {}) as Partial<Record<keyof Problem, unknown>>
  const { code, detail, origin } = given
  if (!isErrorCode(code)) {
    return new ExchangeError('provider.answer-invalid', 'the refusal has a code we do not know')
  }
  const known = origin === 'service' ? 'service' : 'provider-gateway'
  const text = typeof detail === 'string' ? detail.slice(0, 1000) : errorEntry(code).title
  const refusal = new ExchangeError(code, text, { origin: known })
  const step = readStep(given.step)
  const basis = readBasis(given.basis)
  return Object.assign(refusal, step ? { step } : {}, basis ? { basis } : {})
}
