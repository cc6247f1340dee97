import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ExchangeLog } from '../ports.ts'
import {
  commitmentOf,
  newSalt,
  recordText,
  type ExchangeEntry,
  type LogEntry,
  type LogRecord,
} from '../../exchange-log/record.ts'
import {
  LogStoreError,
  type ExchangeLogStore,
  type SealedRecord,
} from '../../exchange-log/store.ts'
import type { Clock } from '../../runtime/clock.ts'

/** Refusals of strangers that are recorded one by one in a minute. */
const STRANGERS_A_MINUTE = 600
const MINUTE_MS = 60_000

/** What happens to the log itself stands in it too. */
export interface EventLog {
  /** Resolves with the event's position when it is durable. @throws ExchangeError `log.unavailable` */
  recordEvent(entry: LogEntry): Promise<number>
}

/** The log as steps see it: recorded, or refused with the protocol's code. */
export function createExchangeLog(
  store: ExchangeLogStore,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): ExchangeLog & EventLog {
  let minute = 0
  let recorded = 0
  let counted = 0

  const record = async (entry: LogEntry): Promise<number> => {
    try {
      return await store.append(sealed({ ...entry, recordedAt: clock() }))
    } catch (cause) {
      if (!(cause instanceof LogStoreError)) throw cause
      logger.error({ id: entry.exchangeId, err: cause }, 'the exchange log takes no entries')
      throw new ExchangeError('log.unavailable', 'the exchange log takes no entries', { cause })
    }
  }
  return {
    record,
    recordEvent: record,
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

function sealed(record: LogRecord): SealedRecord {
  const salt = newSalt()
  return { record, salt, commitment: commitmentOf(salt, recordText(record)) }
}

/** Stands for the refusals that were only counted. */
function summaryOf({ side, at, code, origin }: ExchangeEntry, count: number): ExchangeEntry {
  const detail = `${count} more refusals of unknown callers in one minute`
  const known = { ...(code ? { code } : {}), ...(origin ? { origin } : {}) }
  return { exchangeId: crypto.randomUUID(), side, kind: 'refusal', at, detail, ...known }
}
