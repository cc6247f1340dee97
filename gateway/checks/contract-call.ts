/** A call as contracts see it, on either side. */
import { userTokenOf } from '../../protocol/headers.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { grantSubjects } from '../catalogue-view.ts'
import type { Complete, Fresh } from '../exchange-state.ts'
import type { ContractCall } from '../ports.ts'

type Said = Pick<ContractCall, 'purpose' | 'userId' | 'issue' | 'hasToken' | 'bodySize'>

/** What the snapshot knows of a call, and what the call says. */
export function contractCall(
  call: Pick<Complete, 'client' | 'catalogue' | 'target' | 'receivedAt'> & { method: string },
  { purpose, userId, issue, hasToken, bodySize }: Said,
): ContractCall {
  const { client, catalogue, target, method, receivedAt } = call
  return {
    clients: grantSubjects(client, catalogue),
    service: formatId(target.service),
    classification: catalogue.service(target.service)?.classification,
    method,
    servicePath: target.servicePath,
    ...{ purpose, userId, issue, hasToken, bodySize },
    at: receivedAt,
  }
}

export function clientCall(complete: Complete): ContractCall {
  const { call, userToken, body } = complete
  const hasToken = userToken !== undefined
  return contractCall(complete, { ...call, hasToken, bodySize: body.size })
}

/**
 * By the manifest, which the client's member signed.
 *
 * @throws ExchangeError `request.header-repeated`, `access.token-invalid`.
 */
export function providerCall(fresh: Fresh): ContractCall {
  const { request, rawHeaders } = fresh
  const { method, purpose, userId, issue, bodySize } = request
  const hasToken = userTokenOf(rawHeaders) !== undefined
  return contractCall({ ...fresh, method }, { purpose, userId, issue, hasToken, bodySize })
}
