import { ExchangeError } from '../../protocol/errors.ts'
import type { ContractCall, Contracts } from '../ports.ts'
import { isOver, verifyClass, verifyClauses } from './clauses.ts'
import type { ContractStore, HeldContract } from './store.ts'

/** Decides about calls by the contracts that are held (protocol/README.md §13.5). */
export function createContracts(
  store: Pick<ContractStore, 'agreedFor' | 'byDigest'>,
): Omit<Contracts, 'lookFor'> {
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
      const held = store.byDigest(digest)
      const { service, clients } = call
      if (!held?.isAgreed || held.content.service !== service) {
        const detail = `there is no contract ${digest} for ${service}, signed by both`
        throw new ExchangeError('contract.unknown', detail)
      }
      if (!clients.includes(held.content.client)) {
        const detail = `contract ${held.content.id} (${digest}): client is ${held.content.client}, not ${clients[0]}`
        throw new ExchangeError('contract.unknown', detail)
      }
      verifyClauses(held, call)
      return held.content
    },
    verifyClass: (call) => verifyClass(call, 'no contract is named'),
  }
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
