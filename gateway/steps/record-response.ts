import { ExchangeError } from '../../protocol/errors.ts'
import { readFindings } from '../../protocol/header-block.ts'
import type { ResponseManifest } from '../../protocol/manifest.ts'
import type { Answer, Recorded, ResponseRecorded } from '../exchange-state.ts'
import type { ExchangeEntry, Side } from '../../exchange-log/record.ts'
import type { ClientGateway, ProviderGateway } from '../ports.ts'

interface Recordable extends Recorded {
  readonly exchangeId: string
  readonly response: ResponseManifest
  readonly responseJws: string
  readonly answer: Answer
  readonly peer: { readonly id: string }
}

/**
 * Records a verified (client) or signed (provider) answer before it is handed on.
 *
 * @throws ExchangeError `log.unavailable-after-call`; then the answer may not be handed on.
 */
export async function recordResponse(
  state: Recordable,
  side: Side,
  { log, clock }: Pick<ClientGateway | ProviderGateway, 'log' | 'clock'>,
): Promise<ResponseRecorded> {
  const { exchangeId, response, responseJws, answer, peer, position } = state
  // Signed by the provider's member: both sides record the same.
  const detail = readFindings(answer.headers)
  const entry: ExchangeEntry = {
    exchangeId,
    side,
    kind: 'response',
    begunAt: position,
    at: clock(),
    client: response.client,
    service: response.service,
    messageId: response.messageId,
    peer: peer.id,
    manifest: responseJws,
    status: response.status,
    bodyBytes: response.bodySize,
    ...(detail === undefined ? {} : { detail }),
  }
  const responsePosition = await log.record(entry, answer).catch((cause: unknown) => {
    throw new ExchangeError('log.unavailable-after-call', 'the exchange log takes no entries', {
      cause,
    })
  })
  return { answer, responseJws, responsePosition }
}
