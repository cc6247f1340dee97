import { ExchangeError } from '../../protocol/errors.ts'
import { headerBlockDigest } from '../../protocol/header-block.ts'
import { formatId, memberOf } from '../../protocol/identifiers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { RequestManifest } from '../../protocol/manifest.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import { clientCall } from '../checks/contract-call.ts'
import type { Complete, RequestSigned } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'

/**
 * Makes and signs the request's manifest in the name of the client's member (protocol/README.md §5).
 *
 * What others would refuse for the certificate of its signer, or of this gateway, is not sent.
 *
 * @throws ExchangeError `client.not-served` without a key of that member, `gateway.certificate-inactive`,
 *   `gateway.certificate-unsuitable`, `request.headers-too-large`; `contract.*` and `access.*` when none of the
 *   contracts for the service allows the call.
 */
export async function signRequest(
  complete: Complete,
  { id, signer, authentication, clock, contracts }: ClientGateway,
): Promise<RequestSigned> {
  const { catalogue } = complete
  const { userId, issue, representedParty, purpose } = complete.call
  const { service } = complete.target
  // Metadata services need no contract (protocol/README.md §13.5).
  const contract = isMetadataService(service.service)
    ? undefined
    : contracts.choose(clientCall(complete))
  const request: RequestManifest = {
    version: 1,
    kind: 'request',
    exchangeId: complete.exchangeId,
    messageId: complete.messageId,
    client: formatId(complete.client),
    service: formatId(service),
    method: complete.method,
    target: complete.target.raw,
    headersDigest: headerBlockDigest(complete.headers),
    bodyDigest: complete.body.digest,
    bodySize: complete.body.size,
    gateway: formatId(id),
    snapshot: catalogue.number,
    ...(userId === undefined ? {} : { userId }),
    ...(issue === undefined ? {} : { issue }),
    ...(representedParty === undefined ? {} : { representedParty }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(contract === undefined ? {} : { contract }),
  }
  const now = clock()
  authentication.verifyActive(catalogue, now)
  const member = memberOf(complete.client)
  signer.verifyCanSign(member, catalogue, now)
  const requestJws = await signer.sign(member, request, catalogue, now)
  if (requestJws.length > LIMITS.manifestBytes) {
    throw new ExchangeError(
      'request.headers-too-large',
      'what the headers say does not fit a manifest',
    )
  }
  return { ...complete, request, requestJws }
}
