import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import { basedOn, ExchangeError, withBasis } from '../../protocol/errors.ts'
import type { ContractCall } from '../ports.ts'
import type { HeldContract } from './store.ts'

/** One condition of a contract, or of the class of a service. */
export interface Clause {
  /** In words. */
  readonly name: string
  /** Whether it is about the size of the body. */
  readonly needsBody?: true
  /** @throws ExchangeError naming contract and clause. */
  readonly verify: () => void
}

/**
 * What an agreed contract asks of a call, in the order of protocol/README.md §13.5, up to what needs more than the call
 * and the time: a token's signature, and the quota. They refuse with `contract.revoked`, `contract.not-yet-valid`,
 * `contract.expired`, `access.*`, `request.body-too-large`.
 */
export function clausesOf(held: HeldContract, call: ContractCall): Clause[] {
  const { content, statement, digest } = held
  const { validFrom, validUntil, purposes, maxBodyBytes } = content
  const refuse = (code: ExchangeError['code'], clause: string): never => {
    throw new ExchangeError(code, `${nameOf(held)}: ${clause}`)
  }
  const clause = (name: string, member: string, verify: () => void, needsBody?: true): Clause => ({
    name,
    ...(needsBody ? { needsBody } : {}),
    verify: () => basedOn({ contract: digest, contractId: content.id, clause: member }, verify),
  })
  return [
    clause('contract is not revoked', 'revocation', () => {
      if (statement?.kind !== 'revocation') return
      const { by, at, reason } = statement
      refuse('contract.revoked', `revoked by ${by} at ${at.toISOString()}: ${reason}`)
    }),
    clause('contract has begun', 'validFrom', () => {
      const isEarly = call.at < new Date(validFrom)
      if (isEarly) refuse('contract.not-yet-valid', `validFrom is ${validFrom}`)
    }),
    clause('contract has not ended', 'validUntil', () => {
      const isLate = call.at >= new Date(validUntil)
      if (isLate) refuse('contract.expired', `validUntil is ${validUntil}`)
    }),
    clause('endpoint is in the contract', 'endpoints', () => verifyEndpoint(held, call)),
    clause('purpose is in the contract', 'purposes', () => {
      if (purposes.length === 0 || purposes.includes(call.purpose ?? '')) return
      const allowed = `purposes are ${purposes.join(', ')}`
      if (call.purpose === undefined)
        refuse('access.purpose-missing', `${allowed}; the call has none`)
      else refuse('access.purpose-denied', `${allowed}, not ${call.purpose}`)
    }),
    ...classClausesOf(call, nameOf(held)).map(({ name, verify }) =>
      clause(name, 'classification', verify),
    ),
    clause('user is named as the contract asks', 'user', () => {
      if (content.user === undefined || call.userId !== undefined) return
      refuse('access.user-missing', `user is ${content.user}; the call has none`)
    }),
    clause('case is named as the contract asks', 'case', () => {
      if (content.case !== true || call.issue !== undefined) return
      refuse('access.case-missing', 'case is true; the call has none')
    }),
    clause(
      'body is no longer than the contract allows',
      'maxBodyBytes',
      () => {
        if (maxBodyBytes === undefined || call.bodySize <= maxBodyBytes) return
        const words = `maxBodyBytes is ${maxBodyBytes}, the body has ${call.bodySize} bytes`
        refuse('request.body-too-large', words)
      },
      true,
    ),
    clause('token of the user is there as the contract asks', 'user', () => {
      if (content.user !== 'token' || call.hasToken) return
      refuse('access.token-missing', 'user is token; the call has none')
    }),
  ]
}

/** @throws ExchangeError of the first of {@link clausesOf} that refuses. */
export function verifyClauses(held: HeldContract, call: ContractCall): void {
  for (const { verify } of clausesOf(held, call)) verify()
}

/** Whether it can still allow a call at some time. */
export const isOver = ({ statement, content }: HeldContract, at: Date): boolean =>
  statement?.kind === 'revocation' || at >= new Date(content.validUntil)

/** As refusals name it. */
export const nameOf = ({
  digest,
  content: { id },
}: Pick<HeldContract, 'digest' | 'content'>): string => `contract ${id} (${digest})`

function verifyEndpoint(held: HeldContract, { method, servicePath }: ContractCall): void {
  const { endpoints } = held.content
  if (coversAnyPath(endpoints, method)) return
  const isCovered = readable(held, () => covers(endpoints, method, servicePath))
  if (isCovered) return
  const allowed = endpoints.map((e) => `${e.method} ${e.path}`).join(', ')
  const detail = `${nameOf(held)}: endpoints are ${allowed}, not ${method} ${servicePath || '/'}`
  throw new ExchangeError('access.denied', detail)
}

/** A path that can be read in two ways is refused because of this contract's endpoints. */
function readable<T>(held: HeldContract, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ExchangeError(cause.code, `${nameOf(held)}: endpoints: ${cause.message}`, { cause })
  }
}

/** What the class of a service asks of each call, under a contract or a grant. */
export function classClausesOf(
  { classification, purpose, userId, issue }: ContractCall,
  whose: string,
): Clause[] {
  if (classification !== 'personal' && classification !== 'sensitive') return []
  const clause = (what: 'purpose' | 'user' | 'case', value: string | undefined): Clause => ({
    name: `${what} is named as the class ${classification} asks`,
    verify: () => {
      if (value !== undefined) return
      const detail = `${whose}: the service is classified ${classification}, and the call says no ${what}`
      const refusal = new ExchangeError(`access.${what}-missing`, detail)
      throw withBasis(refusal, { clause: 'classification' })
    },
  })
  return [
    clause('purpose', purpose),
    clause('user', userId),
    ...(classification === 'sensitive' ? [clause('case', issue)] : []),
  ]
}

/** @throws ExchangeError of the first of {@link classClausesOf} that refuses. */
export function verifyClass(call: ContractCall, whose: string): void {
  for (const { verify } of classClausesOf(call, whose)) verify()
}
