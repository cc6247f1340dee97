import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ExchangeLog } from '../ports.ts'
import { LogStoreError, type ExchangeLogStore } from './store.ts'

/** The log as steps see it: recorded, or refused with the protocol's code. */
export function createExchangeLog(store: ExchangeLogStore, logger: Logger): ExchangeLog {
  return {
    record: async (entry) => {
      try {
        return await store.append(entry)
      } catch (cause) {
        if (!(cause instanceof LogStoreError)) throw cause
        logger.error({ id: entry.exchangeId, err: cause }, 'the exchange log takes no entries')
        throw new ExchangeError('log.unavailable', 'the exchange log takes no entries', { cause })
      }
    },
  }
}
