import type { Contract } from '../../protocol/contract.ts'
import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import type { Quotas } from '../ports.ts'

export type Quota = NonNullable<Contract['quota']>

/** Which clause of a quota lets no more calls pass for now. */
export interface Exhausted {
  readonly clause: keyof Quota
  /** At least 1. */
  readonly retryAfterSeconds: number
}

/** What of a quota is not used up yet; `perSecond` at this moment. */
export type QuotaLeft = Quota

/** Looks at a quota without counting. */
export interface QuotaPeek {
  /** @throws ExchangeError `access.quota-exceeded` as for a call now. @returns undefined without a quota. */
  peek(contract: CountedContract, at: Date): Promise<QuotaLeft | undefined>
}
export type CountedContract = Parameters<Quotas['take']>[0]

export const DAY_MS = 86_400_000

/** Of UTC, counted from 1970. */
export function dayOf(at: Date): number {
  return Math.floor(at.getTime() / DAY_MS)
}

/** @returns that the day's calls are used up, until midnight UTC. */
export function dayExhausted(at: Date): Exhausted {
  const left = DAY_MS - (at.getTime() % DAY_MS)
  return { clause: 'perDay', retryAfterSeconds: Math.ceil(left / 1000) }
}

/** @returns `access.quota-exceeded`, naming contract and clause. */
export function refusal(
  { digest, id }: { readonly digest: string; readonly id?: string | undefined },
  quota: Quota,
  { clause, retryAfterSeconds }: Exhausted,
  note = '',
): ExchangeError {
  const unit = clause === 'perDay' ? 'day of UTC' : 'second'
  const error = new ExchangeError(
    'access.quota-exceeded',
    `contract ${id === undefined ? digest : `${id} (${digest})`} allows ${quota[clause]} calls in a ${unit}${note}, and they are used up: repeat after ${retryAfterSeconds} s`,
  )
  error.retryAfterSeconds = retryAfterSeconds
  const contractId = id === undefined ? {} : { contractId: id }
  withBasis(error, { contract: digest, ...contractId, clause: 'quota' })
  return error
}
