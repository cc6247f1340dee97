import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import type { Served, Validated } from '../exchange-state.ts'
import type { Validation } from '../ports.ts'

/**
 * Compares a request with the description of its service, and its size with the contract, on the path, headers and
 * body that the service will get (protocol/README.md §14).
 *
 * @throws ExchangeError `request.body-too-large`, `validation.operation-unknown`, `validation.content-type`,
 *   `validation.request-invalid`, `access.path-ambiguous`, `service.description-missing`, `catalogue.unavailable`.
 */
export async function validateRequest(served: Served, validation: Validation): Promise<Validated> {
  const { contract, request } = served
  const maxBytes = contract?.maxBodyBytes
  if (maxBytes !== undefined && served.body.size > maxBytes) {
    const detail = `the contract allows bodies of ${maxBytes} bytes, this one has ${served.body.size}`
    const clause = { contractId: contract?.id ?? '', clause: 'maxBodyBytes' }
    const basis = { contract: request.contract ?? '', ...clause }
    throw withBasis(new ExchangeError('request.body-too-large', detail), basis)
  }
  return { ...served, findings: await validation.request(served) }
}
