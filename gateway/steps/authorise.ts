import { basedOn, withBasis } from '../../protocol/errors.ts'
import { memberOf } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import { userTokenOf } from '../../protocol/headers.ts'
import { verifyAll } from '../checks/check.ts'
import { ANSWERING_CHECKS, grantFor, SERVICE_CHECKS } from '../checks/permission.ts'
import type { Fresh, Permitted } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'
import { providerCall } from '../checks/contract-call.ts'

/**
 * Decides whether the client may make this call: by default it may not (protocol/README.md §6.3).
 * The decision is made on the path that the service gets, byte for byte.
 *
 * @throws ExchangeError `provider.unknown`, `provider.signer-missing`, `gateway.certificate-inactive`,
 *   `gateway.certificate-unsuitable`, `service.unknown`, `service.retired`, `contract.*`, `access.*`, `request.body-too-large`.
 */
export function authorise(fresh: Fresh, gw: ProviderGateway): Permitted | Promise<Permitted> {
  const judged = { ...fresh, gw }
  verifyAll(ANSWERING_CHECKS, judged)
  if (isMetadataService(fresh.target.service.service)) return { ...fresh, grant: undefined }
  verifyAll(SERVICE_CHECKS, judged)
  return fresh.request.contract === undefined
    ? byGrant(fresh, gw)
    : byContract(fresh, fresh.request.contract, gw)
}

/** In the order of protocol/README.md §13.5: only calls that came through all else count for the quota. */
async function byContract(
  fresh: Fresh,
  digest: string,
  { contracts, userTokens, quotas }: ProviderGateway,
): Promise<Permitted> {
  const { client, rawHeaders, receivedAt, request } = fresh
  const { service, userId } = request
  await contracts.lookFor(digest)
  const contract = contracts.verify(digest, providerCall(fresh))
  const { id, quota } = contract
  if (contract.user === 'token') {
    const expected = { service, userId, member: memberOf(client) }
    await userTokens
      .verify(userTokenOf(rawHeaders), expected, receivedAt)
      .catch((error: unknown) => {
        throw withBasis(error, { contract: digest, contractId: id, clause: 'user' })
      })
  }
  await quotas.take({ digest, id, ...(quota ? { quota } : {}) }, receivedAt)
  return { ...fresh, grant: undefined, contract }
}

function byGrant(fresh: Fresh, { accessRules, contracts }: ProviderGateway): Permitted {
  const { method } = fresh.request
  const grant = grantFor({ ...fresh, method }, accessRules)
  basedOn({ grant: grant.id }, () => contracts.verifyClass(providerCall(fresh)))
  return { ...fresh, grant }
}
