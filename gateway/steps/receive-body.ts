import { ExchangeError } from '../../protocol/errors.ts'
import type { Complete, Resolved } from '../exchange-state.ts'
import type { Bodies } from '../ports.ts'

/**
 * Takes in the body of a call. Only now: a stranger's gigabytes are not worth storing.
 *
 * @throws ExchangeError `request.body-*`, `request.timeout`, `storage.unavailable`;
 *   `request.malformed` for a TRACE with a body (RFC 9110 §9.3.8).
 */
export async function receiveBody(resolved: Resolved, bodies: Bodies): Promise<Complete> {
  const body = await bodies.ofRequest(resolved.stream, resolved.scope)
  if (resolved.method === 'TRACE' && body.size > 0) {
    throw new ExchangeError('request.malformed', 'a TRACE request has no body')
  }
  return { ...resolved, body }
}
