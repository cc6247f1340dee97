import type { RequestManifest } from '../../protocol/manifest.ts'
import type { Recorded } from '../exchange-state.ts'
import type { Side } from '../../exchange-log/record.ts'
import type { ClientGateway, ProviderGateway } from '../ports.ts'

interface Recordable {
  readonly exchangeId: string
  readonly receivedAt: Date
  readonly request: RequestManifest
  readonly requestJws: string
  readonly peer?: { readonly id: string }
}

/**
 * Records a signed request before it is sent (client) or handed on (provider).
 *
 * @throws ExchangeError `log.unavailable`, `log.unstamped`; then nothing was recorded, and nothing may be handed on.
 */
export async function recordRequest<S extends Recordable>(
  state: S,
  side: Side,
  { log }: Pick<ClientGateway | ProviderGateway, 'log'>,
): Promise<S & Recorded> {
  const { exchangeId, request, requestJws, peer } = state
  const position = await log.record({
    exchangeId,
    side,
    kind: 'request',
    at: state.receivedAt,
    client: request.client,
    service: request.service,
    method: request.method,
    target: request.target,
    messageId: request.messageId,
    manifest: requestJws,
    ...(peer ? { peer: peer.id } : {}),
  })
  return { ...state, position }
}
