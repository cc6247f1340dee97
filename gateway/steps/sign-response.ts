import { headerBlockDigest } from '../../protocol/header-block.ts'
import { formatId, memberOf } from '../../protocol/identifiers.ts'
import { jwsDigest, type ResponseManifest } from '../../protocol/manifest.ts'
import type { AnswerValidated, ResponseSigned } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'

/**
 * Makes and signs the answer's manifest in the name of the provider's member, bound to the signed
 * request that it answers (protocol/README.md §5.1).
 *
 * @throws ExchangeError `client.not-served` without a key of that member, `gateway.certificate-inactive`
 *   and `gateway.certificate-unsuitable` without a certificate that may be used.
 */
export async function signResponse(
  answered: AnswerValidated,
  { id, signer, clock }: ProviderGateway,
): Promise<ResponseSigned> {
  const { request, requestJws, answer, target, catalogue } = answered
  const response: ResponseManifest = {
    version: 1,
    kind: 'response',
    exchangeId: request.exchangeId,
    messageId: request.messageId,
    client: request.client,
    service: request.service,
    status: answer.status,
    headersDigest: headerBlockDigest(answer.headers),
    bodyDigest: answer.body.digest,
    bodySize: answer.body.size,
    requestDigest: jwsDigest(requestJws),
    gateway: formatId(id),
    snapshot: catalogue.number,
  }
  const responseJws = await signer.sign(memberOf(target.service), response, catalogue, clock())
  return { ...answered, response, responseJws }
}
