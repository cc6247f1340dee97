import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, memberOf } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import { userTokenOf } from '../../protocol/headers.ts'
import { providerCall } from './contract-call.ts'
import { verifyNotRetired } from '../../protocol/service-life.ts'
import type { Fresh, Grant, Permitted } from '../exchange-state.ts'
import { grantSubjects, verifyNotStopped } from '../catalogue-view.ts'
import type { ProviderGateway } from '../ports.ts'

/**
 * Decides whether the client may make this call: by default it may not (protocol/README.md §6.3).
 * The decision is made on the path that the service gets, byte for byte.
 *
 * @throws ExchangeError `provider.unknown`, `provider.signer-missing`, `gateway.certificate-inactive`,
 *   `gateway.certificate-unsuitable`, `service.unknown`, `service.retired`, `contract.*`, `access.*`, `request.body-too-large`.
 */
export function authorise(fresh: Fresh, gw: ProviderGateway): Permitted | Promise<Permitted> {
  const { id, signer, clock } = gw
  const { catalogue, target } = fresh
  verifyNotStopped(catalogue, fresh.client, target.service)
  const { service: code, ...provider } = target.service
  const here = catalogue.gateway(formatId(id))
  if (!here?.clients.has(formatId(provider))) {
    throw new ExchangeError(
      'provider.unknown',
      `gateway ${formatId(id)} does not speak for ${formatId(provider)}`,
    )
  }
  // An answer that nobody would believe is not worth the call.
  const member = memberOf(provider)
  if (!signer.isSignerOf(member)) {
    const detail = `gateway ${formatId(id)} holds no signing key of ${member}`
    throw new ExchangeError('provider.signer-missing', detail)
  }
  signer.verifyCanSign(member, catalogue, clock())
  if (isMetadataService(code)) return { ...fresh, grant: undefined }
  const service = formatId(target.service)
  if (catalogue.service(target.service) === undefined) {
    throw new ExchangeError('service.unknown', `${service} is not in the catalogue`)
  }
  verifyNotRetired(service, catalogue.service(target.service), fresh.receivedAt)
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
  if (contract.user === 'token') {
    const expected = { service, userId, member: memberOf(client) }
    await userTokens.verify(userTokenOf(rawHeaders), expected, receivedAt)
  }
  const { id, quota } = contract
  await quotas.take({ digest, id, ...(quota ? { quota } : {}) }, receivedAt)
  return { ...fresh, grant: undefined, contract }
}

function byGrant(fresh: Fresh, { accessRules, contracts }: ProviderGateway): Permitted {
  const { catalogue, target, client } = fresh
  const service = formatId(target.service)
  const grants = accessRules.grantsFor(service, grantSubjects(client, catalogue))
  const { method } = fresh.request
  // A grant for every path decides first: under it no path is ambiguous.
  const grant =
    grants.find((g) => coversAnyPath(g.endpoints, method)) ??
    grants.find((g) => covers(g.endpoints, method, target.servicePath))
  if (grant === undefined) throw denied(grants, fresh)
  contracts.verifyClass(providerCall(fresh))
  return { ...fresh, grant }
}

function denied(grants: readonly Grant[], { request, target }: Fresh): ExchangeError {
  const service = formatId(target.service)
  const [grant] = grants
  if (grant === undefined) {
    return new ExchangeError('access.denied', `${request.client} has no grant for ${service}`)
  }
  const allowed = grant.endpoints.map(({ method, path }) => `${method} ${path}`).join(', ')
  return new ExchangeError(
    'access.denied',
    `grant ${grant.id} lets ${grant.subject} call ${allowed} of ${service}, not ${request.method} ${target.servicePath || '/'}`,
  )
}
