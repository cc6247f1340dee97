import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import type { GatewayEntry } from '../catalogue-view.ts'

const UNSENT = new Set<ErrorCode>(['provider.unreachable', 'provider.overloaded'])

/**
 * Asks gateways in turn until one takes what is sent (protocol/README.md §6.2). Only what never left us is sent to the
 * next one: what has been sent may have been carried out.
 *
 * @throws what the last one failed with, or the first that took it.
 */
export async function firstTaker<T>(
  gateways: readonly GatewayEntry[],
  send: (gateway: GatewayEntry) => Promise<T>,
): Promise<{ readonly peer: GatewayEntry; readonly reply: T }> {
  let last: unknown
  for (const peer of gateways) {
    try {
      return { peer, reply: await send(peer) }
    } catch (error) {
      const unsent = error instanceof ExchangeError && UNSENT.has(error.code)
      if (!unsent || error.origin !== undefined) throw error
      last = error
    }
  }
  throw last
}
