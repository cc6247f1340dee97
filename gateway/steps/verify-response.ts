import { ExchangeError, refusedAs } from '../../protocol/errors.ts'
import {
  headerBlock,
  headerBlockDigest,
  valuesOf,
  type HeaderBlock,
} from '../../protocol/header-block.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { encodeId, memberOf } from '../../protocol/identifiers.ts'
import {
  jwsDigest,
  parseResponseManifest,
  requestHash,
  type ResponseManifest,
} from '../../protocol/manifest.ts'
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
  { trust, clockCheck, catalogue, bodies, clock }: ClientGateway,
): Promise<ResponseVerified> {
  const { reply, scope } = replied
  const headers = refusedAs('provider.answer-invalid', undefined, () =>
    headerBlock(reply.rawHeaders),
  )
  const { jws: responseJws, payload } = await verifyManifest(reply.rawHeaders, {
    member: memberOf(replied.target.service),
    view: replied.catalogue,
    catalogue,
    trust,
    clockCheck,
    sender: replied.peer.id,
    at: clock(),
  })
  const response = parseResponseManifest(payload)
  bindToRequest(response, replied)
  bindHeaders(headers, replied)
  if (response.status !== reply.status || response.headersDigest !== headerBlockDigest(headers)) {
    throw new ExchangeError(
      'manifest.message-altered',
      'status or headers of the answer are not the signed ones',
    )
  }
  const body = await bodies.ofReply(reply.stream, scope, response.bodySize)
  if (body.digest !== response.bodyDigest || body.size !== response.bodySize) {
    throw new ExchangeError('manifest.body-altered', 'SHA-256 of the answer is not the signed one')
  }
  const answer = { status: reply.status, headers, body }
  return { ...replied, response, responseJws, answer }
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

/** What the caller reads of the exchange in the headers is what was signed and recorded of it. */
function bindHeaders(headers: HeaderBlock, { request, requestJws, client, target }: Replied): void {
  const expected: Record<string, string[]> = {
    'x-road-client': [encodeId(client)],
    'x-road-error': [],
    'x-road-id': [Buffer.from(request.messageId, 'utf8').toString('latin1')],
    'x-road-request-hash': [requestHash(requestJws)],
    'x-road-request-id': [request.exchangeId],
    'x-road-service': [encodeId(target.service)],
  }
  for (const [name, values] of Object.entries(expected)) {
    if (valuesOf(headers, name).join('\n') === values.join('\n')) continue
    throw new ExchangeError('response.mismatch', `${name} of the answer is not of this exchange`)
  }
}
