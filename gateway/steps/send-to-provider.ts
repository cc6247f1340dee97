import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import type { Replied, RequestRecorded } from '../exchange-state.ts'
import type { Peers } from '../ports.ts'

const UNSENT = new Set<ErrorCode>(['provider.unreachable', 'provider.overloaded'])

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
  let last: unknown
  for (const peer of recorded.gateways) {
    try {
      return { ...recorded, peer, reply: await peers.send(peer, message) }
    } catch (error) {
      const unsent = error instanceof ExchangeError && UNSENT.has(error.code)
      if (!unsent || error.origin !== undefined) throw error
      last = error
    }
  }
  throw last
}
