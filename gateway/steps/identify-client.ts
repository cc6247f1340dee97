import { formatId } from '../../protocol/identifiers.ts'
import { verifyAll } from '../checks/check.ts'
import { CLIENT_CHECKS } from '../checks/client.ts'
import { verifyInformationSystem } from '../checks/information-system.ts'
import type { Identified, Read } from '../exchange-state.ts'
import type { ClientGateway } from '../ports.ts'

/**
 * Decides that the information system is the client it names (protocol/README.md §6.1): registered,
 * served by this gateway, and, over TLS, shown by a certificate registered for it. Over plain HTTP
 * the name is believed; only a sandbox, or a network that is the gateway's own, opens that port.
 *
 * @throws ExchangeError `gateway.clock-off`, `client.*`, `certificate.*`, `catalogue.*`.
 */
export async function identifyClient(read: Read, gw: ClientGateway): Promise<Identified> {
  gw.clockCheck.verify()
  const { client } = read.call
  const view = await gw.catalogue.atLeast(0, read.receivedAt)
  verifyAll(CLIENT_CHECKS, { client, catalogue: view, gateway: formatId(gw.id) })
  if (read.overTls) await verifyInformationSystem(client, read, gw)
  return { ...read, client, catalogue: view }
}
