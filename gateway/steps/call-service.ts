import { refusedAs } from '../../protocol/errors.ts'
import { withHeaders, type HeaderBlock } from '../../protocol/header-block.ts'
import { RESPONSE_SET } from '../../protocol/headers.ts'
import { encodeId } from '../../protocol/identifiers.ts'
import { requestHash } from '../../protocol/manifest.ts'
import { lifeHeaders } from '../../protocol/service-life.ts'
import type { Answered, ServedRecorded } from '../exchange-state.ts'
import type { Services } from '../ports.ts'

/**
 * Hands the recorded request to the service and puts the protocol's headers on what it answers
 * (X-Road PR-REST §4.3). The service cannot set them.
 *
 * @throws ExchangeError `service.*`.
 */
export async function callService(recorded: ServedRecorded, services: Services): Promise<Answered> {
  const { status, headers, body } = await services.call(recorded)
  const { client, target, request, requestJws, catalogue } = recorded
  const life = lifeHeaders(catalogue.service(target.service) ?? {})
  // Links of the service stay; of its end only one can tell.
  const links = headers.filter(([name]) => name === 'link' && life.length > 0)
  const own = headers.filter(([name]) => !RESPONSE_SET.has(name))
  const added: HeaderBlock = [
    ['x-road-client', encodeId(client)],
    ['x-road-id', Buffer.from(request.messageId, 'utf8').toString('latin1')],
    ['x-road-request-hash', requestHash(requestJws)],
    ['x-road-request-id', request.exchangeId],
    ['x-road-service', encodeId(target.service)],
    ...links,
    ...life,
  ]
  const signed = refusedAs('service.answer-invalid', 'service', () => withHeaders(own, added))
  return { ...recorded, answer: { status, headers: signed, body } }
}
