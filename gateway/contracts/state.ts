import { partiesOf } from '../../protocol/contract.ts'
import { isOver } from './clauses.ts'
import type { ContractStore, HeldContract } from './store.ts'

export const CONTRACT_STATES = [
  /** Signed by the client, by the provider, or answered with another one. */
  ...(['requested', 'offered', 'answered'] as const),
  ...(['in-force', 'not-yet-valid', 'expired'] as const),
  ...(['refused', 'revoked'] as const),
] as const
export type ContractState = (typeof CONTRACT_STATES)[number]

export function stateOf(
  store: Pick<ContractStore, 'answerTo'>,
  held: HeldContract,
  at: Date,
): ContractState {
  const { statement, content, isAgreed, signers, digest } = held
  if (statement) return statement.kind === 'refusal' ? 'refused' : 'revoked'
  if (isOver(held, at)) return 'expired'
  if (isAgreed) return at < new Date(content.validFrom) ? 'not-yet-valid' : 'in-force'
  if (store.answerTo(digest)) return 'answered'
  const { provider } = partiesOf(content)
  return signers.some(({ member }) => member === provider) ? 'offered' : 'requested'
}

/** A contract as administrators see it. */
export function viewOf(
  store: Pick<ContractStore, 'answerTo'>,
  held: HeldContract,
  at: Date,
): object {
  const { content, digest, signers, statement, isHandedIn, fault } = held
  const { version: _version, kind: _kind, id, ...terms } = content
  const answer = store.answerTo(digest)
  return {
    id,
    state: stateOf(store, held, at),
    digest,
    ...terms,
    signedBy: signers,
    ...(answer ? { answeredBy: answer.content.id } : {}),
    ...(statement ? { statement } : {}),
    handedIn: isHandedIn,
    ...(fault === undefined ? {} : { fault }),
  }
}
