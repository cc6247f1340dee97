import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import type { Authenticated, Received } from '../exchange-state.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import type { ProviderGateway } from '../ports.ts'
import { shownCertificate } from './shown-certificate.ts'

/**
 * Decides which gateway is calling: the one whose registered authentication certificate it shows
 * (protocol/README.md §6.3).
 *
 * @throws ExchangeError `gateway.clock-off`, `peer.certificate-missing`, `peer.certificate-unregistered`,
 *   `certificate.*`, `catalogue.*`.
 */
export async function verifyPeer(
  received: Pick<Received, 'certificate' | 'receivedAt' | 'claimedSnapshot'>,
  { clockCheck, catalogue, trust }: Pick<ProviderGateway, 'clockCheck' | 'catalogue' | 'trust'>,
): Promise<Pick<Authenticated, 'peer' | 'catalogue'>> {
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
  if (peer !== undefined) return { peer, catalogue: last }
  const detail = `snapshot ${last.number} has no gateway with the certificate ${certificate.subject}`
  const unregistered = new ExchangeError('peer.certificate-unregistered', detail)
  throw withBasis(unregistered, { snapshot: last.number })
}

/**
 * Checks that a gateway may speak for a client.
 *
 * @param madeAt the gateway that the message says it was made at.
 * @throws ExchangeError `peer.client-mismatch`.
 */
export function verifySpokenFor(peer: GatewayEntry, client: string, madeAt: string): void {
  if (madeAt === peer.id && peer.clients.has(client)) return
  throw new ExchangeError(
    'peer.client-mismatch',
    `gateway ${peer.id} sent a message of ${client} made at ${madeAt}`,
  )
}
