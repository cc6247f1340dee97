import { verifyClient } from '../checks/information-system.ts'
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
  const { client } = read.call
  return { ...read, client, catalogue: await verifyClient(client, read, gw) }
}
