import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, type ClientId } from '../../protocol/identifiers.ts'
import type { Incoming } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'
import { shownCertificate } from './shown-certificate.ts'

/**
 * Decides that who came by TLS is an information system of the client (protocol/README.md §6.1).
 *
 * @throws ExchangeError `client.certificate-missing`, `client.certificate-unregistered`, `certificate.*`.
 */
export async function verifyInformationSystem(
  client: ClientId,
  shown: Pick<Incoming, 'certificate' | 'receivedAt'>,
  { informationSystems, trust }: Pick<ClientGateway, 'informationSystems' | 'trust'>,
): Promise<void> {
  const name = formatId(client)
  const certificate = shownCertificate(shown, 'client.certificate-missing')
  if (!informationSystems.isRegistered(name, certificate.thumbprint)) {
    throw new ExchangeError(
      'client.certificate-unregistered',
      `the certificate ${certificate.subject} is not registered for ${name}`,
    )
  }
  await trust.verify(certificate, 'information-system', shown.receivedAt)
}
