import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import { formatId, type ClientId } from '../../protocol/identifiers.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Asked } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'
import { verifyAll } from './check.ts'
import { CLIENT_CHECKS } from './client.ts'
import { shownCertificate } from './shown-certificate.ts'

/**
 * Decides that who asks is the client that it names, by the newest snapshot (protocol/README.md §6.1).
 *
 * @throws ExchangeError `gateway.clock-off`, `client.*`, `certificate.*`, `catalogue.*`.
 */
export async function verifyClient(
  client: ClientId,
  shown: Pick<Asked, 'certificate' | 'receivedAt' | 'overTls'>,
  gw: Pick<ClientGateway, 'id' | 'clockCheck' | 'catalogue' | 'informationSystems' | 'trust'>,
): Promise<CatalogueView> {
  gw.clockCheck.verify()
  const catalogue = await gw.catalogue.atLeast(0, shown.receivedAt)
  verifyAll(CLIENT_CHECKS, { client, catalogue, gateway: formatId(gw.id) })
  try {
    if (shown.overTls) await verifyInformationSystem(client, shown, gw)
    return catalogue
  } catch (error) {
    throw withBasis(error, { snapshot: catalogue.number })
  }
}

/**
 * Decides that who came by TLS is an information system of the client (protocol/README.md §6.1).
 *
 * @throws ExchangeError `client.certificate-missing`, `client.certificate-unregistered`, `certificate.*`.
 */
async function verifyInformationSystem(
  client: ClientId,
  shown: Pick<Asked, 'certificate' | 'receivedAt'>,
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
