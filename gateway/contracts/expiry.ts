import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ContractStore, HeldContract } from './store.ts'

export interface EndingContract {
  readonly held: HeldContract
  readonly daysLeft: number
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Days before the end at which a contract is warned of, each once. */
const WARNED_AT = [1, 7, 30] as const
const SOON_DAYS = 30

/** Contracts in force that end within 30 days and that no later one follows, the first to end first. */
export function endingContracts(
  store: Pick<ContractStore, 'endingBetween'>,
  at: Date,
): EndingContract[] {
  const until = new Date(at.getTime() + SOON_DAYS * DAY_MS)
  return store.endingBetween(at, until).map((held) => ({
    held,
    daysLeft: (new Date(held.content.validUntil).getTime() - at.getTime()) / DAY_MS,
  }))
}

/** Warns in the log of contracts that end soon: 30 days, 7 days and a day before. */
export function startExpiryWatch(deps: {
  readonly store: Pick<ContractStore, 'endingBetween'>
  readonly clock: Clock
  readonly logger: Logger
  readonly intervalMs?: number
}): Disposable {
  const { store, clock, logger, intervalMs = HOUR_MS } = deps
  const warnedAt = new Map<string, number>()
  const look = (): void => {
    for (const { held, daysLeft } of endingContracts(store, clock())) {
      const { digest, content } = held
      const level = WARNED_AT.find((days) => daysLeft <= days)!
      if ((warnedAt.get(digest) ?? Infinity) <= level) continue
      warnedAt.set(digest, level)
      const { id, client, service, validUntil } = content
      logger.warn(
        { contract: id, client, service, validUntil, daysLeft: Math.floor(daysLeft) },
        'contract ends soon: renew it with spean contract renew',
      )
    }
  }
  look()
  const timer = setInterval(look, intervalMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
