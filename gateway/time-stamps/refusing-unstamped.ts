import type { ExchangeLog } from '../ports.ts'
import type { LogStamper } from './log-stamper.ts'

/**
 * A log that begins no exchange while its records wait too long for a time-stamp, if the operator chose so. What was
 * begun is recorded to its end, and refusals are recorded as ever.
 */
export function refusingUnstamped(
  log: ExchangeLog,
  stamper: Pick<LogStamper, 'verifyStamped'>,
): ExchangeLog {
  return {
    ...log,
    record: async (...given) => {
      if (given[0].kind === 'request') stamper.verifyStamped()
      return await log.record(...given)
    },
  }
}
