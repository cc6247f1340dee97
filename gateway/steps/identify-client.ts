import { ExchangeError } from '../../protocol/errors.ts'
import { formatId } from '../../protocol/identifiers.ts'
import type { Identified, Read } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'
import { shownCertificate } from './shown-certificate.ts'

/**
 * Decides that the information system is the client it names (protocol/README.md §6.1): registered,
 * served by this gateway, and, over TLS, shown by a certificate registered for it. Over plain HTTP
 * the name is believed; only a sandbox, or a network that is the gateway's own, opens that port.
 *
 * @throws ExchangeError `gateway.clock-off`, `client.*`, `certificate.*`, `catalogue.*`.
 */
export async function identifyClient(
  read: Read,
  { id, clockCheck, catalogue, trust, informationSystems }: ClientGateway,
): Promise<Identified> {
  clockCheck.verify()
  const { client } = read.call
  const name = formatId(client)
  const view = await catalogue.atLeast(0, read.receivedAt)
  if (!view.isRegistered(client)) {
    throw new ExchangeError('client.unknown', `${name} is not registered in ${view.instance}`)
  }
  const gateway = formatId(id)
  if (!view.gateway(gateway)?.clients.has(name)) {
    throw new ExchangeError('client.not-served', `${name} is not a client of gateway ${gateway}`)
  }
  if (read.overTls) {
    const certificate = shownCertificate(read, 'client.certificate-missing')
    if (!informationSystems.isRegistered(name, certificate.thumbprint)) {
      throw new ExchangeError(
        'client.certificate-unregistered',
        `the certificate ${certificate.subject} is not registered for ${name}`,
      )
    }
    await trust.verify(certificate, 'information-system', read.receivedAt)
  }
  return { ...read, client, catalogue: view }
}
