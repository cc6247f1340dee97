import type { RequestManifest } from '../../protocol/manifest.ts'
import type { Recorded, Served } from '../exchange-state.ts'
import type { ExchangeEntry, Side } from '../../exchange-log/record.ts'
import type { ClientGateway, ProviderGateway } from '../ports.ts'

interface Recordable extends Pick<Served, 'headers' | 'body'> {
  readonly exchangeId: string
  readonly receivedAt: Date
  readonly request: RequestManifest
  readonly requestJws: string
  readonly peer?: { readonly id: string }
  readonly findings?: string | undefined
}

/**
 * Records a signed request before it is sent (client) or handed on (provider).
 *
 * @throws ExchangeError `manifest.replayed` (409) when another replica, which shares the log, has recorded it;
 * `log.unavailable`, `log.unstamped`, `storage.unavailable`; then nothing was recorded, and nothing may be
 * handed on.
 */
export async function recordRequest<S extends Recordable>(
  state: S,
  side: Side,
  { log }: Pick<ClientGateway | ProviderGateway, 'log'>,
): Promise<S & Recorded> {
  const { exchangeId, request, requestJws, peer, headers, body } = state
  const { userId, issue, representedParty, purpose } = request
  const entry: ExchangeEntry = {
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
    bodyBytes: request.bodySize,
    ...(userId === undefined ? {} : { userId }),
    ...(issue === undefined ? {} : { issue }),
    ...(representedParty === undefined ? {} : { representedParty }),
    ...(purpose === undefined ? {} : { purpose }),
    ...(peer ? { peer: peer.id } : {}),
    ...(state.findings === undefined ? {} : { detail: state.findings }),
  }
  const position = await log.record(entry, { headers, body })
  return { ...state, position }
}
