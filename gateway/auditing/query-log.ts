import { canonicalJson } from '../../protocol/canonical-json.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { LogEntry } from '../../exchange-log/record.ts'
import { LogStoreError } from '../../exchange-log/store.ts'
import { TreeStoreError } from '../../exchange-log/tree-store.ts'
import type { Principal } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Values } from '../http/log-query.ts'

/** What was asked of the log; it is recorded as canonical JSON (RFC 8785), one object. */
export interface Query {
  readonly query: 'search' | 'show' | 'export' | 'export-end' | 'sample' | 'evidence'
  /** As they were understood: names and values, times in UTC. */
  readonly parameters?: Values
  /** How many exchanges, or records of the one exchange, the answer has; 0 also for what is out of scope. */
  readonly results?: number
  /** Of the end of an export: position of the record of its beginning. */
  readonly begunAt?: number
  /** Of the end of an export; false also for a sample whose asker had gone before it was drawn. */
  readonly complete?: boolean
}

/** Where a query stands in the log. */
export interface RecordedQuery {
  readonly exchangeId: string
  readonly position: number
}

/**
 * Records a query; it is durable when this resolves, and only then anything may be answered.
 *
 * @param exchangeId of the exchange that was asked for.
 * @throws ExchangeError `log.unavailable`
 */
export type RecordQuery = (
  principal: Principal,
  query: Query,
  exchangeId?: string,
) => Promise<RecordedQuery>

export function createQueryLog(
  log: { recordEvent(entry: LogEntry): Promise<number> },
  clock: Clock,
): RecordQuery {
  return async (principal, query, exchangeId = crypto.randomUUID()) => {
    const { name: actor, id: auditor } = principal
    const { parameters, ...rest } = query
    const asked = parameters && { parameters: toPlain(parameters) }
    const detail = canonicalJson({ ...rest, ...asked, auditor })
    const event = { exchangeId, kind: 'query', at: clock(), actor, detail } as const
    return { exchangeId, position: await log.recordEvent(event) }
  }
}

function toPlain(values: Values): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      value instanceof Date ? value.toISOString() : value,
    ]),
  )
}

/** One reading of the log after another: however many auditors ask, exchanges wait for one page at most. */
export type ReadInTurn = <T>(read: () => Promise<T>) => Promise<T>

/** @returns a function that throws ExchangeError `log.unavailable` when the log cannot be read. */
export function createTurns(): ReadInTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (read) => {
    const turn = last.then(read).catch((cause: unknown) => {
      if (!(cause instanceof LogStoreError || cause instanceof TreeStoreError)) throw cause
      throw new ExchangeError('log.unavailable', 'the exchange log cannot be read', { cause })
    })
    last = turn.catch(() => undefined)
    return turn
  }
}
