import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { ContractCall } from '../ports.ts'
import type { HeldContract } from './store.ts'

/**
 * Checks a call against an agreed contract, clause by clause in the order of protocol/README.md §13.5, up to what
 * needs more than the call and the time: a token's signature, and the quota.
 *
 * @throws ExchangeError naming the contract and the clause: `contract.revoked`, `contract.not-yet-valid`,
 *   `contract.expired`, `access.*`, `request.body-too-large`.
 */
export function verifyClauses(held: HeldContract, call: ContractCall): void {
  const { content, statement } = held
  const refuse = (code: ExchangeError['code'], clause: string): never => {
    throw new ExchangeError(code, `${nameOf(held)}: ${clause}`)
  }
  if (statement?.kind === 'revocation') {
    const { by, at, reason } = statement
    refuse('contract.revoked', `revoked by ${by} at ${at.toISOString()}: ${reason}`)
  }
  const { validFrom, validUntil, purposes } = content
  if (call.at < new Date(validFrom)) refuse('contract.not-yet-valid', `validFrom is ${validFrom}`)
  if (call.at >= new Date(validUntil)) refuse('contract.expired', `validUntil is ${validUntil}`)

  verifyEndpoint(held, call)
  if (purposes.length > 0 && !purposes.includes(call.purpose ?? '')) {
    const allowed = `purposes are ${purposes.join(', ')}`
    if (call.purpose === undefined)
      refuse('access.purpose-missing', `${allowed}; the call has none`)
    else refuse('access.purpose-denied', `${allowed}, not ${call.purpose}`)
  }
  verifyClass(call, nameOf(held))
  if (content.user !== undefined && call.userId === undefined) {
    refuse('access.user-missing', `user is ${content.user}; the call has none`)
  }
  if (content.case === true && call.issue === undefined) {
    refuse('access.case-missing', 'case is true; the call has none')
  }
  const { maxBodyBytes } = content
  if (maxBodyBytes !== undefined && call.bodySize > maxBodyBytes) {
    const clause = `maxBodyBytes is ${maxBodyBytes}, the body has ${call.bodySize} bytes`
    refuse('request.body-too-large', clause)
  }
  if (content.user === 'token' && !call.hasToken) {
    refuse('access.token-missing', 'user is token; the call has none')
  }
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
export function verifyClass(
  { classification, purpose, userId, issue }: ContractCall,
  whose: string,
): void {
  if (classification !== 'personal' && classification !== 'sensitive') return
  const refuse = (code: ExchangeError['code'], what: string): never => {
    const detail = `${whose}: the service is classified ${classification}, and the call says no ${what}`
    throw new ExchangeError(code, detail)
  }
  if (purpose === undefined) refuse('access.purpose-missing', 'purpose')
  if (userId === undefined) refuse('access.user-missing', 'user')
  if (classification === 'sensitive' && issue === undefined) refuse('access.case-missing', 'case')
}
