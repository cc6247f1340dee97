import { verifyAll } from '../checks/check.ts'
import { gatewaysFor, PROVIDER_CHECKS } from '../checks/provider.ts'
import type { Identified, Resolved } from '../exchange-state.ts'

/**
 * Finds the service and the gateways that offer it in the snapshot (protocol/README.md §6.1).
 *
 * @throws ExchangeError `access.stopped`, `provider.unknown`, `service.unknown`, `service.retired`, `provider.no-gateway`.
 */
export function resolveService(identified: Identified): Resolved {
  verifyAll(PROVIDER_CHECKS, identified)
  return { ...identified, gateways: gatewaysFor(identified) }
}
