import { ExchangeError } from '../../protocol/errors.ts'
import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts'
import type { Authenticated, Received } from '../exchange-state.ts'
import type { ProviderGateway } from '../ports.ts'

/**
 * Decides which gateway is calling: the one whose registered authentication certificate it shows
 * (protocol/README.md §6.3). The TLS handshake proved the key and nothing else, so that a refusal can
 * say what is wrong.
 *
 * @throws ExchangeError `peer.certificate-missing`, `peer.certificate-unregistered`, `certificate.*`,
 *   `catalogue.*`.
 */
export async function authenticatePeer(
  received: Received,
  { catalogue, trust }: ProviderGateway,
): Promise<Authenticated> {
  const certificate = shownBy(received)
  const view = catalogue.current(received.receivedAt)
  const peer = view.gatewayByCertificate(certificate.thumbprint)
  if (peer === undefined) {
    // An expired or foreign certificate is told by that name, registered or not.
    await trust.verify(certificate, 'authentication', received.receivedAt)
    throw new ExchangeError(
      'peer.certificate-unregistered',
      `snapshot ${view.number} has no gateway with the certificate ${certificate.subject}`,
    )
  }
  await trust.verify(certificate, 'authentication', received.receivedAt)
  return { ...received, peer, catalogue: view }
}

function shownBy({ certificate }: Received): Certificate {
  if (certificate === undefined) {
    throw new ExchangeError('peer.certificate-missing', 'no gateway certificate was shown')
  }
  try {
    return parseCertificate(certificate)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    throw new ExchangeError('certificate.untrusted', 'the gateway certificate cannot be read')
  }
}
