import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import { ExchangeError, withBasis, type ErrorCode } from '../../protocol/errors.ts'
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

/** The same for any contract and call: calls go through a table, and make nothing anew. */
interface Rule {
  readonly name: string
  /** Of the contract, or what else stands in a basis (protocol/README.md §8.1). */
  readonly clause: string
  readonly needsBody?: true
  readonly verify: (held: HeldContract, call: ContractCall) => void
}

const BEFORE_CLASS: readonly Rule[] = [
  {
    name: 'contract is not revoked',
    clause: 'revocation',
    verify: (held) => {
      const { statement } = held
      if (statement?.kind !== 'revocation') return
      const { by, at, reason } = statement
      refuse(held, 'contract.revoked', `revoked by ${by} at ${at.toISOString()}: ${reason}`)
    },
  },
  {
    name: 'contract has begun',
    clause: 'validFrom',
    verify: (held, { at }) => {
      const { validFrom } = held.content
      if (at < new Date(validFrom))
        refuse(held, 'contract.not-yet-valid', `validFrom is ${validFrom}`)
    },
  },
  {
    name: 'contract has not ended',
    clause: 'validUntil',
    verify: (held, { at }) => {
      const { validUntil } = held.content
      if (at >= new Date(validUntil))
        refuse(held, 'contract.expired', `validUntil is ${validUntil}`)
    },
  },
  { name: 'endpoint is in the contract', clause: 'endpoints', verify: verifyEndpoint },
  {
    name: 'purpose is in the contract',
    clause: 'purposes',
    verify: (held, { purpose }) => {
      const { purposes } = held.content
      if (purposes.length === 0 || purposes.includes(purpose ?? '')) return
      const allowed = `purposes are ${purposes.join(', ')}`
      if (purpose === undefined)
        refuse(held, 'access.purpose-missing', `${allowed}; the call has none`)
      refuse(held, 'access.purpose-denied', `${allowed}, not ${purpose}`)
    },
  },
]
const AFTER_CLASS: readonly Rule[] = [
  {
    name: 'user is named as the contract asks',
    clause: 'user',
    verify: (held, { userId }) => {
      const { user } = held.content
      if (user === undefined || userId !== undefined) return
      refuse(held, 'access.user-missing', `user is ${user}; the call has none`)
    },
  },
  {
    name: 'case is named as the contract asks',
    clause: 'case',
    verify: (held, { issue }) => {
      if (held.content.case !== true || issue !== undefined) return
      refuse(held, 'access.case-missing', 'case is true; the call has none')
    },
  },
  {
    name: 'body is no longer than the contract allows',
    clause: 'maxBodyBytes',
    needsBody: true,
    verify: (held, { bodySize }) => {
      const { maxBodyBytes } = held.content
      if (maxBodyBytes === undefined || bodySize <= maxBodyBytes) return
      const words = `maxBodyBytes is ${maxBodyBytes}, the body has ${bodySize} bytes`
      refuse(held, 'request.body-too-large', words)
    },
  },
  {
    name: 'token of the user is there as the contract asks',
    clause: 'user',
    verify: (held, { hasToken }) => {
      if (held.content.user !== 'token' || hasToken) return
      refuse(held, 'access.token-missing', 'user is token; the call has none')
    },
  },
]

/** What the class of a service asks of each call, under a contract or a grant. */
interface ClassRule {
  readonly name: string
  readonly verify: (call: ContractCall, whose: () => string) => void
}
const SAID = { purpose: 'purpose', user: 'userId', case: 'issue' } as const
const CLASS_RULES = {
  personal: classRules('personal', ['purpose', 'user']),
  sensitive: classRules('sensitive', ['purpose', 'user', 'case']),
}
const RULES = {
  other: [...BEFORE_CLASS, ...AFTER_CLASS],
  personal: [...BEFORE_CLASS, ...CLASS_RULES.personal.map(ofContract), ...AFTER_CLASS],
  sensitive: [...BEFORE_CLASS, ...CLASS_RULES.sensitive.map(ofContract), ...AFTER_CLASS],
}

/**
 * What an agreed contract asks of a call, in the order of protocol/README.md §13.5, up to what needs more than the call
 * and the time: a token's signature, and the quota. They refuse with `contract.revoked`, `contract.not-yet-valid`,
 * `contract.expired`, `access.*`, `request.body-too-large`.
 */
export function clausesOf(held: HeldContract, call: ContractCall): Clause[] {
  return rulesFor(call).map((rule) => ({
    name: rule.name,
    ...(rule.needsBody ? { needsBody: true } : {}),
    verify: () => judge(rule, held, call),
  }))
}

/** @throws ExchangeError of the first of {@link clausesOf} that refuses. */
export function verifyClauses(held: HeldContract, call: ContractCall): void {
  for (const rule of rulesFor(call)) judge(rule, held, call)
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

/** What the class of a service asks of a call under no contract. @param whose begins the sentence of a refusal. */
export function classClausesOf(call: ContractCall, whose: string): Clause[] {
  const rules = isStrict(call.classification) ? CLASS_RULES[call.classification] : []
  return rules.map(({ name, verify }) => ({ name, verify: () => verify(call, () => whose) }))
}

/** @throws ExchangeError of the first of {@link classClausesOf} that refuses. */
export function verifyClass(call: ContractCall, whose: string): void {
  for (const { verify } of classClausesOf(call, whose)) verify()
}

const isStrict = (
  classification: ContractCall['classification'],
): classification is keyof typeof CLASS_RULES =>
  classification === 'personal' || classification === 'sensitive'

const rulesFor = ({ classification }: ContractCall): readonly Rule[] =>
  RULES[isStrict(classification) ? classification : 'other']

function judge({ clause, verify }: Rule, held: HeldContract, call: ContractCall): void {
  try {
    verify(held, call)
  } catch (error) {
    throw withBasis(error, { contract: held.digest, contractId: held.content.id, clause })
  }
}

function refuse(held: HeldContract, code: ErrorCode, words: string): never {
  throw new ExchangeError(code, `${nameOf(held)}: ${words}`)
}

function classRules(
  classification: string,
  asked: readonly (keyof typeof SAID)[],
): readonly ClassRule[] {
  return asked.map((what) => ({
    name: `${what} is named as the class ${classification} asks`,
    verify: (call, whose) => {
      if (call[SAID[what]] !== undefined) return
      const detail = `${whose()}: the service is classified ${classification}, and the call says no ${what}`
      const refusal = new ExchangeError(`access.${what}-missing`, detail)
      throw withBasis(refusal, { clause: 'classification' })
    },
  }))
}

function ofContract({ name, verify }: ClassRule): Rule {
  return {
    name,
    clause: 'classification',
    verify: (held, call) => verify(call, () => nameOf(held)),
  }
}
