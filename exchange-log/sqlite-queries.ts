/** The statements that search the log in SQLite. */
import type { SQLInputValue } from 'node:sqlite'
import type { ErrorCode, Origin } from '../protocol/errors.ts'
import type { EventKind, Side } from './record.ts'
import { SELECT, type Row } from './sqlite-rows.ts'
import type { ContentOwner, ContentQuery, ExchangeSummary, LogQuery, Outcome } from './store.ts'

export interface Statement {
  readonly sql: string
  readonly parameters: SQLInputValue[]
}

// The last entry of a run says how it ended.
const LAST = `coalesce((SELECT max(position) FROM record WHERE begunAt = f.position), f.position)`
const OUTCOME = `CASE l.kind WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN iif(l.status < 400, 'ok', 'error') ELSE 'unanswered' END`
const ENDED = `record AS f JOIN record AS l ON l.position = ${LAST}`

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): Statement {
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
    const one = ['client', 'service']
      .map((column) => `f.${column} = ? OR (f.${column} >= ? AND f.${column} < ?)`)
      .join(' OR ')
    // What begins with `ID/` stands before `ID0`: the next character.
    const values = query.within.flatMap((id) => [id, `${id}/`, `${id}0`, id, `${id}/`, `${id}0`])
    where(`(${query.within.map(() => one).join(' OR ') || 'FALSE'})`, ...values)
  }
  for (const column of ['client', 'service'] as const) {
    const value = query[column]
    if (value === undefined) continue
    if (!value.endsWith('*')) where(`f.${column} = ?`, value)
    else {
      const prefix = value.slice(0, -1)
      where(`f.${column} >= ? AND f.${column} < ?`, prefix, `${prefix}${LAST_CHARACTER}`)
    }
  }
  const picked = [...conditions]
  if (query.outcome !== undefined) where(`${OUTCOME} = ?`, query.outcome)
  if (query.code !== undefined) where('l.code = ?', query.code)
  // Ends are looked up for what is shown only, unless it is they that are asked for.
  const from = picked.length === conditions.length ? 'record AS f' : ENDED
  const sql = `
    SELECT f.position, f.exchangeId, f.side, f.at, f.client, f.service, f.method, f.target,
      f.messageId, f.userId, f.issue, f.purpose, l.peer, l.status, l.code, l.origin, l.position AS lastPosition, l.at AS lastAt,
      ${OUTCOME} AS outcome
    FROM ${ENDED} WHERE f.position IN (
      SELECT f.position FROM ${from} WHERE ${conditions.join(' AND ')}
      ORDER BY f.position DESC LIMIT ?
    ) ORDER BY f.position DESC`
  return { sql, parameters: [...parameters, query.limit] }
}

/** No identifier has it: it is no character (Unicode §23.7), and the last one in the order of UTF-8. */
const LAST_CHARACTER = '\u{10FFFF}'

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

export function eventsStatement(
  kinds: readonly EventKind[],
  after: number,
  limit: number,
): Statement {
  const condition = `side IS NULL AND kind IN (${kinds.map(() => '?').join(', ')}) AND position > ?`
  const archived = SELECT.replace('FROM record', 'FROM archivedEvent')
  return {
    sql: `${SELECT} WHERE ${condition} UNION ALL ${archived} WHERE ${condition} ORDER BY position LIMIT ?`,
    parameters: [...kinds, after, ...kinds, after, limit],
  }
}

export function contentsStatement(query: ContentQuery): Statement {
  const conditions = ['k.position > ?']
  const parameters: SQLInputValue[] = [query.after ?? 0]
  if (query.positions) {
    conditions.push('k.position IN (SELECT value FROM json_each(?))')
    parameters.push(JSON.stringify(query.positions))
  }
  if (query.exchangeId !== undefined) {
    conditions.push(`k.position IN (SELECT position FROM record WHERE exchangeId = ?
      UNION ALL SELECT position FROM archivedContent WHERE exchangeId = ?)`)
    parameters.push(query.exchangeId, query.exchangeId)
  }
  const sql = `
    SELECT k.position, coalesce(r.exchangeId, a.exchangeId) AS exchangeId,
      coalesce(b.at, c.at, r.at, a.at) AS at, coalesce(r.client, a.client) AS client,
      coalesce(r.service, a.service) AS service,
      coalesce(r.userId, b.userId, c.userId, a.userId) AS userId,
      coalesce(r.issue, b.issue, c.issue, a.issue) AS issue
    FROM recordKey AS k LEFT JOIN record AS r ON r.position = k.position
      LEFT JOIN record AS b ON b.position = r.begunAt
      LEFT JOIN archivedContent AS c ON c.position = r.begunAt
      LEFT JOIN archivedContent AS a ON a.position = k.position
    WHERE ${conditions.join(' AND ')}
    ORDER BY k.position ${query.newestFirst === true ? 'DESC' : ''} LIMIT ?`
  return { sql, parameters: [...parameters, query.limit] }
}

export function toOwner({ at, ...row }: Row): ContentOwner {
  const present = Object.entries(row).filter(([, value]) => value !== null)
  return { ...(Object.fromEntries(present) as unknown as ContentOwner), at: new Date(Number(at)) }
}
