import { verifyPeer } from '../checks/peer.ts'
import type { Authenticated, Received } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'

/**
 * Decides which gateway is calling: the one whose registered authentication certificate it shows
 * (protocol/README.md §6.3). The TLS handshake proved the key and nothing else, so that a refusal can
 * say what is wrong.
 *
 * @throws ExchangeError `gateway.clock-off`, `peer.certificate-missing`, `peer.certificate-unregistered`,
 *   `certificate.*`, `catalogue.*`.
 */
export async function authenticatePeer(
  received: Received,
  gw: ProviderGateway,
): Promise<Authenticated> {
  const known = await verifyPeer(received, gw)
  // A registered gateway's word is enough to find its refusals under the id that its own log has.
  const exchangeId = received.claimedExchangeId ?? received.exchangeId
  return { ...received, exchangeId, ...known }
}
