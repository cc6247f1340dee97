/** A call as contracts see it, on either side. */
import { userTokenOf } from '../../protocol/headers.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { grantSubjects } from '../catalogue-view.ts'
import type { Complete, Fresh } from '../exchange-state.ts'
import type { ContractCall } from '../ports.ts'

export function clientCall(complete: Complete): ContractCall {
  const { client, catalogue, target, method, call, userToken, body, receivedAt } = complete
  return {
    clients: grantSubjects(client, catalogue),
    service: formatId(target.service),
    classification: catalogue.service(target.service)?.classification,
    method,
    servicePath: target.servicePath,
    purpose: call.purpose,
    userId: call.userId,
    issue: call.issue,
    hasToken: userToken !== undefined,
    bodySize: body.size,
    at: receivedAt,
  }
}

/**
 * By the manifest, which the client's member signed.
 *
 * @throws ExchangeError `request.header-repeated`, `access.token-invalid`.
 */
export function providerCall(fresh: Fresh): ContractCall {
  const { client, catalogue, target, request, rawHeaders, receivedAt } = fresh
  return {
    clients: grantSubjects(client, catalogue),
    service: request.service,
    classification: catalogue.service(target.service)?.classification,
    method: request.method,
    servicePath: target.servicePath,
    purpose: request.purpose,
    userId: request.userId,
    issue: request.issue,
    hasToken: userTokenOf(rawHeaders) !== undefined,
    bodySize: request.bodySize,
    at: receivedAt,
  }
}
