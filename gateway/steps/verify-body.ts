import { ExchangeError } from '../../protocol/errors.ts'
import type { Permitted, Served } from '../exchange-state.ts'
import type { Bodies } from '../ports.ts'

/**
 * Takes in the request's body and verifies that it is the signed one (protocol/README.md §6.3). After
 * `authorise`: what will be refused anyway need not be received.
 *
 * @throws ExchangeError `manifest.body-altered`, `request.body-*`, `storage.unavailable`.
 */
export async function verifyBody(permitted: Permitted, bodies: Bodies): Promise<Served> {
  const { request, stream, scope } = permitted
  const body = await bodies.ofRequest(stream, scope, request.bodySize)
  if (body.digest !== request.bodyDigest || body.size !== request.bodySize) {
    throw new ExchangeError('manifest.body-altered', 'SHA-256 of the body is not the signed one')
  }
  return { ...permitted, body }
}
