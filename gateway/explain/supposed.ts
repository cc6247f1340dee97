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

/** What a gateway asks of a call by its own means, whichever side it is on. */
export interface OwnLimits {
  /** @throws ExchangeError `request.body-too-large` as for a body that comes. */
  readonly verifyBodySize: (bytes: number) => void
  /** @throws ExchangeError `log.unstamped`. */
  readonly verifyStamped: () => void
}

/** @param step in which the body is taken in. */
export async function judgeBodySize(
  step: string,
  { bodySize }: SupposedCall,
  { verifyBodySize }: OwnLimits,
  findings: Findings,
): Promise<void> {
  const name = 'body is no longer than the gateway takes'
  if (bodySize === undefined) findings.skip(step, name, NO_BODY)
  else await findings.judge(step, name, () => verifyBodySize(bodySize))
}

export async function judgeRecording(
  { verifyStamped }: OwnLimits,
  findings: Findings,
): Promise<void> {
  await findings.judge('record-request', 'log is not waiting for a time-stamp', verifyStamped)
  findings.skip('record-request', 'record is written', 'nothing is recorded of a question')
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

const NO_BODY = 'the size of the body was not said'
