import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ExchangeLog } from '../ports.ts'
import { LogStoreError, type ExchangeLogStore, type LogEntry } from './store.ts'

/** Refusals of strangers that are recorded one by one in a minute. */
const STRANGERS_A_MINUTE = 600
const MINUTE_MS = 60_000

/** The log as steps see it: recorded, or refused with the protocol's code. */
export function createExchangeLog(store: ExchangeLogStore, logger: Logger): ExchangeLog {
  let minute = 0
  let recorded = 0
  let counted = 0

  const record = async (entry: LogEntry): Promise<number> => {
    try {
      return await store.append(entry)
    } catch (cause) {
      if (!(cause instanceof LogStoreError)) throw cause
      logger.error({ id: entry.exchangeId, err: cause }, 'the exchange log takes no entries')
      throw new ExchangeError('log.unavailable', 'the exchange log takes no entries', { cause })
    }
  }
  return {
    record,
    recordStranger: async (entry) => {
      const now = Math.floor(entry.at.getTime() / MINUTE_MS)
      if (now !== minute) {
        const before = counted
        minute = now
        recorded = 0
        counted = 0
        if (before > 0) await record(summaryOf(entry, before))
      }
      if (recorded >= STRANGERS_A_MINUTE) {
        counted += 1
        return
      }
      recorded += 1
      await record(entry)
    },
  }
}

/** Stands for the refusals that were only counted. */
function summaryOf({ side, at, code, origin }: LogEntry, count: number): LogEntry {
  const detail = `${count} more refusals of unknown callers in one minute`
  const known = { ...(code ? { code } : {}), ...(origin ? { origin } : {}) }
  return { exchangeId: crypto.randomUUID(), side, kind: 'refusal', at, detail, ...known }
}
