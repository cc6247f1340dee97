import { ERRORS } from './error-table.ts'
import type { Basis, MoveEntry } from './refusal.ts'

export type ErrorCode = keyof typeof ERRORS

/** Who refused: tells an operator whose logs to open before reading a word of the message. */
export type Origin = 'client-gateway' | 'provider-gateway' | 'service' | 'catalogue' | 'authority'

export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number
  /** X-Road fault code in its 7.8 form; `$` stands for the side that refused (protocol/README.md §8.2). */
  readonly fault: string
  readonly title: string
  /** What the reader can do about it, one sentence. */
  readonly remedy: string
  /** Who can. */
  readonly move: MoveEntry
}

/** The only error a step throws on purpose. Anything else is a bug and leaves as `internal`. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly code: ErrorCode
  readonly status: number
  /** Set when another party refused and we pass it on; otherwise the refusal is our own. */
  readonly origin: Origin | undefined
  /** The step that refused; of a refusal that is passed on, the other side's. */
  step?: string
  /** What it was decided by, as far as that is known. */
  basis?: Basis
  /** After how many seconds the same may be tried again; the header `Retry-After` (RFC 9110 §10.2.3). */
  retryAfterSeconds?: number
  /** The id under which the refusal is recorded, when it is not the one of the request that came. */
  exchangeId?: string

  /** @param detail one sentence the caller may read: no secrets, no paths, no stack. */
  constructor(code: ErrorCode, detail: string, options: { cause?: unknown; origin?: Origin } = {}) {
    super(detail, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.status = errorEntry(code).status
    this.origin = options.origin
  }
}

/**
 * Runs `read`, and says of what it refuses that it is `code`: the same fault has another name, and
 * another culprit, in another message.
 */
export function refusedAs<T>(code: ErrorCode, origin: Origin | undefined, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    const whose = origin === undefined ? {} : { origin }
    throw new ExchangeError(code, cause.message, { cause, ...whose })
  }
}

/** Runs `judge`, and says of what it refuses what it was decided by; what the refusal says itself stays. */
export function basedOn<T>(basis: Basis, judge: () => T): T {
  try {
    return judge()
  } catch (error) {
    throw withBasis(error, basis)
  }
}

/** @returns the error itself. A refusal by another party has a basis of its own. */
export function withBasis(error: unknown, basis: Basis): unknown {
  const isOwn = error instanceof ExchangeError && error.origin === undefined
  if (isOwn) error.basis = { ...basis, ...error.basis }
  return error
}

export function errorEntry(code: ErrorCode): ErrorEntry {
  return ERRORS[code]
}

/** True for a code of this version of the table; a peer may speak a newer one. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code)
}
