import { ExchangeError } from '../../protocol/errors.ts'
import type { Authenticated, Received } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'
import { shownCertificate } from '../checks/shown-certificate.ts'

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
  { clockCheck, catalogue, trust }: ProviderGateway,
): Promise<Authenticated> {
  clockCheck.verify()
  const certificate = shownCertificate(received, 'peer.certificate-missing')
  const { receivedAt } = received
  const view = await catalogue.atLeast(0, receivedAt)
  // First, so that an expired or foreign certificate is told by that name, registered or not.
  await trust.verify(certificate, 'authentication', receivedAt)
  const known = view.gatewayByCertificate(certificate.thumbprint)
  // Its certificate may be new, in a snapshot that it has and we have not yet.
  const last = known ? view : await catalogue.atLeast(received.claimedSnapshot ?? 0, receivedAt)
  const peer = known ?? last.gatewayByCertificate(certificate.thumbprint)
  if (peer === undefined) {
    throw new ExchangeError(
      'peer.certificate-unregistered',
      `snapshot ${last.number} has no gateway with the certificate ${certificate.subject}`,
    )
  }
  // A registered gateway's word is enough to find its refusals under the id that its own log has.
  const exchangeId = received.claimedExchangeId ?? received.exchangeId
  return { ...received, exchangeId, peer, catalogue: last }
}
