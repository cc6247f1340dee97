import type { SQLInputValue } from 'node:sqlite'
import type { ErrorCode, Origin } from '../../protocol/errors.ts'
import type { ExchangeSummary, LogEntry, LogQuery, Outcome, Side, StoredEntry } from './store.ts'

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS entry (
    position   INTEGER PRIMARY KEY,
    exchangeId TEXT NOT NULL,
    side       TEXT NOT NULL CHECK (side IN ('client', 'provider')),
    kind       TEXT NOT NULL CHECK (kind IN ('request', 'response', 'refusal')),
    begunAt    INTEGER,
    at         INTEGER NOT NULL,
    client     TEXT,
    service    TEXT,
    method     TEXT,
    target     TEXT,
    messageId  TEXT,
    peer       TEXT,
    manifest   TEXT,
    status     INTEGER,
    code       TEXT,
    origin     TEXT,
    detail     TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS entryOfExchange ON entry (exchangeId);
  CREATE INDEX IF NOT EXISTS entryOfMessage ON entry (messageId) WHERE begunAt IS NULL;
  CREATE INDEX IF NOT EXISTS entryOfRun ON entry (begunAt) WHERE begunAt IS NOT NULL;
  CREATE INDEX IF NOT EXISTS entryByTime ON entry (at) WHERE begunAt IS NULL;`

const COLUMNS = [
  'exchangeId',
  'side',
  'kind',
  'begunAt',
  'at',
  'client',
  'service',
  'method',
  'target',
  'messageId',
  'peer',
  'manifest',
  'status',
  'code',
  'origin',
  'detail',
] as const

export const INSERT = `INSERT INTO entry (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`

export function toRow(entry: LogEntry): SQLInputValue[] {
  return COLUMNS.map((column) => {
    const value = entry[column]
    if (value instanceof Date) return value.getTime()
    return value ?? null
  })
}

type Row = Record<string, SQLInputValue>

export function toEntry(row: Row): StoredEntry {
  const present = Object.entries(row).filter(([, value]) => value !== null)
  return {
    ...(Object.fromEntries(present) as unknown as StoredEntry),
    at: new Date(Number(row.at)),
  }
}

// The last entry of a run says how it ended.
const LAST = `coalesce((SELECT max(position) FROM entry WHERE begunAt = f.position), f.position)`
const OUTCOME = `CASE l.kind WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN iif(l.status < 400, 'ok', 'error') ELSE 'unanswered' END`

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): { sql: string; parameters: SQLInputValue[] } {
  const conditions = ['f.begunAt IS NULL']
  const parameters: SQLInputValue[] = []
  const where = (condition: string, ...values: SQLInputValue[]): void => {
    conditions.push(condition)
    parameters.push(...values)
  }
  if (query.from) where('f.at >= ?', query.from.getTime())
  if (query.to) where('f.at < ?', query.to.getTime())
  if (query.before !== undefined) where('f.position < ?', query.before)
  if (query.id !== undefined) where('(f.exchangeId = ? OR f.messageId = ?)', query.id, query.id)
  for (const column of ['client', 'service'] as const) {
    const value = query[column]
    if (value === undefined) continue
    if (!value.endsWith('*')) where(`f.${column} = ?`, value)
    else {
      // SQLite counts characters, JavaScript counts halves of some.
      const prefix = value.slice(0, -1)
      where(`substr(f.${column}, 1, ?) = ?`, Array.from(prefix).length, prefix)
    }
  }
  if (query.outcome !== undefined) where(`${OUTCOME} = ?`, query.outcome)
  if (query.code !== undefined) where('l.code = ?', query.code)
  const sql = `
    SELECT f.position, f.exchangeId, f.side, f.at, f.client, f.service, f.method, f.target,
      f.messageId, l.peer, l.status, l.code, l.origin, l.position AS lastPosition, l.at AS lastAt,
      ${OUTCOME} AS outcome
    FROM entry AS f JOIN entry AS l ON l.position = ${LAST}
    WHERE ${conditions.join(' AND ')} ORDER BY f.position DESC LIMIT ?`
  return { sql, parameters: [...parameters, query.limit] }
}

export function toSummary(row: Row): ExchangeSummary {
  const { lastPosition, lastAt, at, ...rest } = row
  const present = Object.entries(rest).filter(([, value]) => value !== null)
  return {
    ...(Object.fromEntries(present) as unknown as {
      position: number
      exchangeId: string
      side: Side
      outcome: Outcome
      code?: ErrorCode
      origin?: Origin
    }),
    at: new Date(Number(at)),
    ...(lastPosition === row.position && row.outcome !== 'refused'
      ? {}
      : { endedAt: new Date(Number(lastAt)) }),
  }
}
