import type { SQLInputValue } from 'node:sqlite'
import type { ErrorCode, Origin } from '../protocol/errors.ts'
import type { LogRecord, Side, StoredRecord } from './record.ts'
import type { ExchangeSummary, LogQuery, Outcome, SealedRecord } from './store.ts'

/** `PRAGMA user_version` of a file with these tables. */
export const SCHEMA_VERSION = 2
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS record (
    position   INTEGER PRIMARY KEY AUTOINCREMENT,
    salt       BLOB NOT NULL,
    commitment BLOB NOT NULL,
    exchangeId TEXT NOT NULL,
    side       TEXT CHECK (side IN ('client', 'provider')),
    kind       TEXT NOT NULL,
    begunAt    INTEGER,
    at         INTEGER NOT NULL,
    recordedAt INTEGER NOT NULL,
    client     TEXT,
    service    TEXT,
    method     TEXT,
    target     TEXT,
    messageId  TEXT,
    userId     TEXT,
    issue      TEXT,
    representedParty TEXT,
    purpose    TEXT,
    peer       TEXT,
    manifest   TEXT,
    kept       TEXT,
    bodyBytes  INTEGER,
    status     INTEGER,
    code       TEXT,
    origin     TEXT,
    detail     TEXT,
    actor      TEXT,
    staged     INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS recordOfExchange ON record (exchangeId);
  CREATE INDEX IF NOT EXISTS recordOfMessage ON record (messageId) WHERE begunAt IS NULL;
  CREATE INDEX IF NOT EXISTS recordOfRun ON record (begunAt) WHERE begunAt IS NOT NULL;
  CREATE INDEX IF NOT EXISTS recordByTime ON record (at) WHERE begunAt IS NULL;
  CREATE TABLE IF NOT EXISTS content (
    owner INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (owner, part)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS recordKey (position INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;`

export const COLUMNS = [
  'exchangeId',
  'side',
  'kind',
  'begunAt',
  'at',
  'recordedAt',
  'client',
  'service',
  'method',
  'target',
  'messageId',
  'userId',
  'issue',
  'representedParty',
  'purpose',
  'peer',
  'manifest',
  'kept',
  'bodyBytes',
  'status',
  'code',
  'origin',
  'detail',
  'actor',
] as const satisfies readonly (keyof LogRecord)[]

const ALL = ['salt', 'commitment', ...COLUMNS, 'staged']
export const INSERT = `INSERT INTO record (${ALL.join(', ')}) VALUES (${ALL.map(() => '?').join(', ')})`
export const SELECT = `SELECT position, salt, commitment, ${COLUMNS.join(', ')} FROM record`

export function toRow({ record, salt, commitment, content }: SealedRecord): SQLInputValue[] {
  const values = COLUMNS.map((column) => {
    const value = record[column]
    if (value instanceof Date) return value.getTime()
    return value ?? null
  })
  return [salt, commitment, ...values, content && 'staged' in content ? -content.staged : null]
}

export type Row = Record<string, SQLInputValue>

export function toRecord(row: Row): StoredRecord {
  const present = Object.entries(row).filter(([, value]) => value !== null)
  return {
    ...(Object.fromEntries(present) as unknown as StoredRecord),
    salt: Buffer.from(row.salt as Uint8Array),
    commitment: Buffer.from(row.commitment as Uint8Array),
    at: new Date(Number(row.at)),
    recordedAt: new Date(Number(row.recordedAt)),
  }
}

// The last entry of a run says how it ended.
const LAST = `coalesce((SELECT max(position) FROM record WHERE begunAt = f.position), f.position)`
const OUTCOME = `CASE l.kind WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN iif(l.status < 400, 'ok', 'error') ELSE 'unanswered' END`

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): { sql: string; parameters: SQLInputValue[] } {
  const conditions = ['f.begunAt IS NULL', 'f.side IS NOT NULL']
  const parameters: SQLInputValue[] = []
  const where = (condition: string, ...values: SQLInputValue[]): void => {
    conditions.push(condition)
    parameters.push(...values)
  }
  if (query.from) where('f.at >= ?', query.from.getTime())
  if (query.to) where('f.at < ?', query.to.getTime())
  if (query.before !== undefined) where('f.position < ?', query.before)
  if (query.id !== undefined) where('(f.exchangeId = ? OR f.messageId = ?)', query.id, query.id)
  for (const column of ['userId', 'issue', 'purpose'] as const) {
    if (query[column] !== undefined) where(`f.${column} = ?`, query[column])
  }
  if (query.within) {
    const one = `f.client = ? OR f.service = ? OR substr(f.client, 1, length(?)) = ? OR substr(f.service, 1, length(?)) = ?`
    const below = query.within.map((id) => `${id}/`)
    const values = query.within.flatMap((id, i) => [id, id, ...Array<string>(4).fill(below[i]!)])
    where(`(${query.within.map(() => one).join(' OR ') || 'FALSE'})`, ...values)
  }
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
      f.messageId, f.userId, f.issue, f.purpose, l.peer, l.status, l.code, l.origin, l.position AS lastPosition, l.at AS lastAt,
      ${OUTCOME} AS outcome
    FROM record AS f JOIN record AS l ON l.position = ${LAST}
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
