import type { Contract } from '../../protocol/contract.ts'
import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import type { ContractCall, Contracts } from '../ports.ts'
import {
  classClausesOf,
  clausesOf,
  isOver,
  verifyClass,
  verifyClauses,
  type Clause,
} from './clauses.ts'
import type { ContractStore, HeldContract } from './store.ts'

/** All that is asked of a call, for who wants to know more than the first that it lacks. */
export interface ContractClauses {
  /** Of the contract; only the first when it is not one for the call at all. */
  clauses(digest: string, call: ContractCall): Clause[]
  /** A contract by its digest; undefined when none is held that both have signed. */
  content(digest: string): Contract | undefined
  /** Of the class of the service, when no contract is named. */
  classClauses(call: ContractCall): Clause[]
}

const NO_CONTRACT = 'no contract is named'

/** Decides about calls by the contracts that are held (protocol/README.md §13.5). */
export function createContracts(
  store: Pick<ContractStore, 'agreedFor' | 'byDigest'>,
): Omit<Contracts, 'lookFor'> & ContractClauses {
  return {
    choose: (call) => {
      // What is not handed in is not known to the provider yet.
      const held = store.agreedFor(call.service, call.clients).filter((c) => c.isHandedIn)
      if (held.length === 0) return undefined
      const refusals = new Map<HeldContract, ExchangeError>()
      for (const contract of held) {
        const refusal = refusalOf(contract, call)
        if (refusal === undefined) return contract.digest
        refusals.set(contract, refusal)
      }
      // The one to be told of is one that could allow a call now, before one that is over.
      const told = held.find((contract) => !isOver(contract, call.at)) ?? held[0]!
      throw refusals.get(told)!
    },
    verify: (digest, call) => {
      const held = findFor(store, digest, call)
      verifyClauses(held, call)
      return held.content
    },
    verifyClass: (call) => verifyClass(call, NO_CONTRACT),
    clauses: (digest, call) => {
      const known = { name: 'contract is known', verify: () => void findFor(store, digest, call) }
      try {
        return [known, ...clausesOf(findFor(store, digest, call), call)]
      } catch (error) {
        if (error instanceof ExchangeError) return [known]
        throw error
      }
    },
    content: (digest) => {
      const held = store.byDigest(digest)
      return held?.isAgreed ? held.content : undefined
    },
    classClauses: (call) => classClausesOf(call, NO_CONTRACT),
  }
}

function findFor(
  store: Pick<ContractStore, 'byDigest'>,
  digest: string,
  { service, clients }: ContractCall,
): HeldContract {
  const held = store.byDigest(digest)
  const isOfService = held?.isAgreed && held.content.service === service
  if (isOfService && clients.includes(held.content.client)) return held
  // The same words for one of somebody else: who that is, is theirs to say.
  const detail = `there is no contract ${digest} of ${clients[0]} for ${service}, signed by both`
  throw withBasis(new ExchangeError('contract.unknown', detail), { contract: digest })
}

function refusalOf(contract: HeldContract, call: ContractCall): ExchangeError | undefined {
  try {
    verifyClauses(contract, call)
    return undefined
  } catch (error) {
    if (error instanceof ExchangeError) return error
    throw error
  }
}
