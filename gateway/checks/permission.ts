import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import { basedOn, ExchangeError } from '../../protocol/errors.ts'
import { formatId, memberOf } from '../../protocol/identifiers.ts'
import { verifyNotRetired } from '../../protocol/service-life.ts'
import { grantSubjects, verifyNotStopped } from '../catalogue-view.ts'
import type { Fresh, Grant } from '../exchange-state.ts'
import type { AccessRules, ProviderGateway } from '../ports.ts'
import type { Check } from './check.ts'

export type Judged = Pick<Fresh, 'catalogue' | 'client' | 'target' | 'receivedAt'> & {
  readonly gw: Pick<ProviderGateway, 'id' | 'signer' | 'clock'>
}

/**
 * Of `authorise`, before it comes to the service (protocol/README.md §6.3).
 *
 * @throws ExchangeError `access.stopped`, `provider.unknown`, `provider.signer-missing`,
 *   `gateway.certificate-inactive`, `gateway.certificate-unsuitable`.
 */
export const ANSWERING_CHECKS: readonly Check<Judged>[] = [
  {
    name: 'nothing of it is stopped',
    verify: ({ catalogue, client, target }) => verifyNotStopped(catalogue, client, target.service),
  },
  {
    name: 'gateway speaks for the provider',
    verify: ({ catalogue, target, gw }) => {
      const { service: _code, ...provider } = target.service
      const id = formatId(gw.id)
      if (catalogue.gateway(id)?.clients.has(formatId(provider))) return
      const detail = `gateway ${id} does not speak for ${formatId(provider)}`
      throw new ExchangeError('provider.unknown', detail)
    },
  },
  // An answer that nobody would believe is not worth the call.
  {
    name: 'gateway has a signing key of the provider',
    needs: ['gateway speaks for the provider'],
    verify: ({ target, gw }) => {
      const member = memberOf(target.service)
      if (gw.signer.isSignerOf(member)) return
      const detail = `gateway ${formatId(gw.id)} holds no signing key of ${member}`
      throw new ExchangeError('provider.signer-missing', detail)
    },
  },
  {
    name: 'signing certificate of the provider is good',
    needs: ['gateway has a signing key of the provider'],
    verify: ({ catalogue, target, gw }) =>
      gw.signer.verifyCanSign(memberOf(target.service), catalogue, gw.clock()),
  },
]

/** Of `authorise`, about the service itself. @throws ExchangeError `service.unknown`, `service.retired`. */
export const SERVICE_CHECKS: readonly Check<Judged>[] = [
  {
    name: 'service is registered',
    verify: ({ catalogue, target }) => {
      if (catalogue.service(target.service) !== undefined) return
      const detail = `${formatId(target.service)} is not in the catalogue`
      throw new ExchangeError('service.unknown', detail)
    },
  },
  {
    name: 'service is not retired',
    needs: ['service is registered'],
    verify: ({ catalogue, target, receivedAt }) =>
      verifyNotRetired(formatId(target.service), catalogue.service(target.service), receivedAt),
  },
]

/**
 * The grant that lets a call pass, on the path that the service gets (protocol/README.md §3.5).
 *
 * @throws ExchangeError `access.denied`, `access.path-ambiguous`.
 */
export function grantFor(
  call: Pick<Fresh, 'catalogue' | 'client' | 'target'> & { readonly method: string },
  accessRules: AccessRules,
): Grant {
  const { catalogue, target, client, method } = call
  const service = formatId(target.service)
  const grants = accessRules.grantsFor(service, grantSubjects(client, catalogue))
  const [first] = grants
  return basedOn(first === undefined ? {} : { grant: first.id }, () => {
    // A grant for every path decides first: under it no path is ambiguous.
    const grant =
      grants.find((g) => coversAnyPath(g.endpoints, method)) ??
      grants.find((g) => covers(g.endpoints, method, target.servicePath))
    if (grant !== undefined) return grant
    if (first === undefined) {
      throw new ExchangeError('access.denied', `${formatId(client)} has no grant for ${service}`)
    }
    const allowed = first.endpoints.map((e) => `${e.method} ${e.path}`).join(', ')
    const path = target.servicePath || '/'
    const detail = `grant ${first.id} lets ${first.subject} call ${allowed} of ${service}, not ${method} ${path}`
    throw new ExchangeError('access.denied', detail)
  })
}
