import { LIMITS } from '../../protocol/limits.ts'
import type { ReplayGuard } from '../ports.ts'

/** A signature is fresh from its window before our clock to its window after: twice its age, and some. */
export const REPLAY_WINDOW_MS = (2 * LIMITS.signatureAgeSeconds + 60) * 1000

/**
 * Remembers the exchange ids of one replay window, in two halves that take turns.
 *
 * @param recent ids that were recorded within the window before this start: a restart forgets none.
 */
export function createReplayGuard(recent: Iterable<string>, startedAt: Date): ReplayGuard {
  let current = new Set(recent)
  let previous = new Set<string>()
  let turnedAt = startedAt.getTime()
  return {
    firstSeen: (exchangeId, at) => {
      if (at.getTime() - turnedAt >= REPLAY_WINDOW_MS) {
        previous = current
        current = new Set()
        turnedAt = at.getTime()
      }
      if (current.has(exchangeId) || previous.has(exchangeId)) return false
      current.add(exchangeId)
      return true
    },
  }
}
