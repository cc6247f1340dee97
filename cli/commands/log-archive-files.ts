/** Searching archives of a log, as files: no gateway is asked. */
import {
  archivedEntries,
  archivedExchanges,
} from '../../exchange-log/archive/archived-exchanges.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import type { ExchangeSummary, LogQuery, Outcome } from '../../exchange-log/store.ts'
import { ConfigError } from '../../runtime/config.ts'

export const ARCHIVE_OPTION = [
  '--archive <file...>',
  'look into archives of the log, and ask no gateway',
] as const

/** Everything recorded of one exchange, as the API of a gateway gives it. @throws ConfigError */
export async function showArchived(
  files: readonly string[],
  id: string,
): Promise<{ entries: (Record<string, unknown> & { kind: string; manifest?: string })[] }> {
  const entries: StoredRecord[] = []
  for (const file of files) entries.push(...(await archivedEntries(file, id)))
  if (entries.length === 0) throw new ConfigError(`no archive of these has the exchange ${id}`)
  return {
    entries: entries.map(({ salt, commitment, at, recordedAt, ...record }) => ({
      ...record,
      ...{ at: at.toISOString(), recordedAt: recordedAt.toISOString() },
      ...{ salt: salt.toString('base64'), commitment: commitment.toString('base64') },
    })),
  }
}

const MAX_LIMIT = 1000
const OUTCOMES: readonly string[] = ['ok', 'error', 'refused', 'unanswered'] satisfies Outcome[]

/** A page of exchanges, newest first. @param query as a gateway's API takes it. @throws ConfigError */
export async function listArchived(
  files: readonly string[],
  query: URLSearchParams,
): Promise<{ exchanges: ExchangeSummary[]; next?: number }> {
  const parsed = parseQuery(query)
  const found: ExchangeSummary[] = []
  for (const file of files) found.push(...(await archivedExchanges(file, parsed)))
  const exchanges = found.toSorted((a, b) => b.position - a.position).slice(0, parsed.limit)
  const last = exchanges.at(-1)
  return {
    exchanges,
    ...(exchanges.length === parsed.limit && last ? { next: last.position } : {}),
  }
}

function parseQuery(given: URLSearchParams): LogQuery {
  const { from, to, before, limit, outcome, ...texts } = Object.fromEntries(given)
  if (outcome !== undefined && !OUTCOMES.includes(outcome)) {
    throw new ConfigError(`--outcome is ${OUTCOMES.join(', ')}`)
  }
  return {
    ...texts,
    ...(outcome === undefined ? {} : { outcome: outcome as Outcome }),
    ...(from === undefined ? {} : { from: timeIn(from, '--from') }),
    ...(to === undefined ? {} : { to: timeIn(to, '--to') }),
    ...(before === undefined ? {} : { before: numberIn(before, '--before') }),
    limit: Math.min(numberIn(limit ?? '50', '--limit'), MAX_LIMIT),
  }
}

function timeIn(text: string, flag: string): Date {
  const time = new Date(text)
  if (!Number.isNaN(time.getTime())) return time
  throw new ConfigError(`${flag} is a time, as 2026-01-31T08:00:00Z`)
}

function numberIn(text: string, flag: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new ConfigError(`${flag} is a number, 1 or more`)
}
