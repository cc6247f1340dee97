import { ExchangeError } from '../../protocol/errors.ts'
import type { Fresh, Verified } from '../exchange-state.ts'
import type { ReplayGuard } from '../ports.ts'

/**
 * Lets each exchange id pass once (protocol/README.md §6.3).
 *
 * @throws ExchangeError `manifest.replayed` (409).
 */
export function rejectReplay(verified: Verified, guard: ReplayGuard): Fresh {
  const { exchangeId } = verified.request
  if (!guard.firstSeen(exchangeId, verified.receivedAt)) {
    throw new ExchangeError('manifest.replayed', `exchange ${exchangeId} was already received`)
  }
  return { ...verified, firstSeen: true }
}
