import { firstTaker } from '../checks/first-taker.ts'
import type { Replied, RequestRecorded } from '../exchange-state.ts'
import type { Peers } from '../ports.ts'

/**
 * Sends the signed request to the provider's gateways in turn, until one takes it
 * (protocol/README.md §6.2). Only a request that never left us is sent to the next one: what has been
 * sent may have been carried out.
 *
 * @throws ExchangeError `provider.*`, `certificate.*`, or what the provider refused with.
 */
export async function sendToProvider(recorded: RequestRecorded, peers: Peers): Promise<Replied> {
  const { method, headers, body, requestJws, target, scope, userToken } = recorded
  const token = userToken === undefined ? {} : { userToken }
  const parts = { method, target: target.raw, headers, manifest: requestJws, body, scope }
  const message = { ...parts, ...token }
  const taken = await firstTaker(recorded.gateways, (peer) => peers.send(peer, message))
  return { ...recorded, ...taken }
}
