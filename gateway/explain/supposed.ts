import type { SupposedCall } from '../../protocol/explanation.ts'
import { readClientId, type ClientId } from '../../protocol/identifiers.ts'
import { parseMethod, type Method } from '../../protocol/methods.ts'
import { parseTarget, type Target } from '../../protocol/target.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import { contractCall } from '../checks/contract-call.ts'
import type { Clause } from '../contracts/clauses.ts'
import type { ContractCall } from '../ports.ts'
import type { Findings } from './findings.ts'

/** A supposed call that could be read. */
export interface ReadCall {
  readonly said: SupposedCall
  readonly client: ClientId
  readonly method: Method
  readonly target: Target
}

/** By the same readers as a call; @returns undefined when one of them refuses. */
export async function readCall(
  said: SupposedCall,
  step: string,
  findings: Findings,
): Promise<ReadCall | undefined> {
  const method = await findings.judge(step, 'method is one of the protocol', () =>
    parseMethod(said.method),
  )
  const target = await findings.judge(step, 'path can be read', () => parseTarget(said.target))
  const client = await findings.judge(step, 'client can be read', () => readClientId(said.client))
  return method && target && client && { said, client, method, target }
}

/** As contracts see it, on either side; a body of which nothing is known has no bytes. */
export function supposedCall(
  { said, ...call }: ReadCall,
  catalogue: CatalogueView,
  receivedAt: Date,
): ContractCall {
  const { purpose, userId, issue, hasToken, bodySize = 0 } = said
  const told = { purpose, userId, issue, hasToken, bodySize }
  return contractCall({ ...call, catalogue, receivedAt }, told)
}

/** Judges the clauses of a contract, or of a class; those about the body only when that is known. */
export async function judgeClauses(
  step: string,
  clauses: readonly Clause[],
  said: SupposedCall,
  findings: Findings,
): Promise<void> {
  for (const { name, needsBody, verify } of clauses) {
    if (needsBody && said.bodySize === undefined) findings.skip(step, name, NO_BODY)
    else await findings.judge(step, name, verify)
  }
}

export const NO_BODY = 'the size of the body was not said'
