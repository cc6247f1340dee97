/** A call as contracts see it, on either side. */
import { singleValue, type HeaderBlock } from '../../protocol/header-block.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { grantSubjects } from '../catalogue-view.ts'
import type { Complete, Fresh } from '../exchange-state.ts'
import type { ContractCall } from '../ports.ts'

/** Carries a signed token of the user (protocol/README.md §13.5). */
const USER_TOKEN_HEADER = 'spean-user-token'

/** @throws ExchangeError `request.header-repeated`. */
export const userTokenOf = (headers: HeaderBlock): string | undefined =>
  singleValue(headers, USER_TOKEN_HEADER)

export function clientCall(complete: Complete): ContractCall {
  const { client, catalogue, target, method, call, headers, body, receivedAt } = complete
  return {
    clients: grantSubjects(client, catalogue),
    service: formatId(target.service),
    classification: catalogue.service(target.service)?.classification,
    method,
    servicePath: target.servicePath,
    purpose: call.purpose,
    userId: call.userId,
    issue: call.issue,
    hasToken: userTokenOf(headers) !== undefined,
    bodySize: body.size,
    at: receivedAt,
  }
}

/** By the manifest, which the client's member signed. */
export function providerCall(fresh: Fresh): ContractCall {
  const { client, catalogue, target, request, headers, receivedAt } = fresh
  return {
    clients: grantSubjects(client, catalogue),
    service: request.service,
    classification: catalogue.service(target.service)?.classification,
    method: request.method,
    servicePath: target.servicePath,
    purpose: request.purpose,
    userId: request.userId,
    issue: request.issue,
    hasToken: userTokenOf(headers) !== undefined,
    bodySize: request.bodySize,
    at: receivedAt,
  }
}
