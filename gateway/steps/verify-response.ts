import { ExchangeError } from '../../protocol/errors.ts'
import { headerBlock, headerBlockDigest, type HeaderBlock } from '../../protocol/header-block.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { memberOf } from '../../protocol/identifiers.ts'
import { jwsDigest, parseResponseManifest, type ResponseManifest } from '../../protocol/manifest.ts'
import type { Replied, ResponseVerified } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'
import { verifyManifest } from './verify-manifest.ts'

/**
 * Verifies that the provider's member signed this very answer to this very request, and only then
 * takes in its body (protocol/README.md §6.4).
 *
 * @throws ExchangeError `manifest.*`, `certificate.*`, `response.mismatch`, `provider.answer-incomplete`.
 */
export async function verifyResponse(
  replied: Replied,
  { trust, bodies, clock }: ClientGateway,
): Promise<ResponseVerified> {
  const { reply, scope } = replied
  const headers = answerHeaders(reply.rawHeaders)
  const { jws: responseJws, payload } = await verifyManifest(reply.rawHeaders, {
    member: memberOf(replied.target.service),
    catalogue: replied.catalogue,
    trust,
    at: clock(),
  })
  const response = parseResponseManifest(payload)
  bindToRequest(response, replied)
  if (response.status !== reply.status || response.headersDigest !== headerBlockDigest(headers)) {
    throw new ExchangeError(
      'manifest.message-altered',
      'status or headers of the answer are not the signed ones',
    )
  }
  const body = await bodies.ofReply(reply.stream, scope)
  if (body.digest !== response.bodyDigest || body.size !== response.bodySize) {
    throw new ExchangeError('manifest.body-altered', 'SHA-256 of the answer is not the signed one')
  }
  const answer = { status: reply.status, headers, body }
  return { ...replied, response, responseJws, answer }
}

function answerHeaders(rawHeaders: readonly string[]): HeaderBlock {
  try {
    return headerBlock(rawHeaders)
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ExchangeError('provider.answer-invalid', cause.message, { cause })
  }
}

function bindToRequest(response: ResponseManifest, replied: Replied): void {
  const { request, requestJws, peer } = replied
  const same =
    response.requestDigest === jwsDigest(requestJws) &&
    response.exchangeId === request.exchangeId &&
    response.messageId === request.messageId &&
    response.client === request.client &&
    response.service === request.service &&
    response.gateway === peer.id
  if (!same) {
    throw new ExchangeError('response.mismatch', `the ${MANIFEST_HEADER} is of another exchange`)
  }
}
