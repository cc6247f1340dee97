/** The statements that search the log in SQLite. */
import type { SQLInputValue } from 'node:sqlite'
import type { ErrorCode, Origin } from '../protocol/errors.ts'
import type { EventKind, Side } from './record.ts'
import { SELECT, type Row } from './sqlite-rows.ts'
import type { ContentOwner, ContentQuery, ExchangeSummary, LogQuery, Outcome } from './store.ts'
import { OF_FIRST, OF_LAST } from './summary-columns.ts'

export interface Statement {
  readonly sql: string
  readonly parameters: SQLInputValue[]
}

// The last entry of a run says how it ended.
const LAST = `coalesce((SELECT max(position) FROM record WHERE begunAt = f.position), f.position)`
const OUTCOME = `CASE l.kind WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN iif(l.status < 400, 'ok', 'error') ELSE 'unanswered' END`
const ENDED = `JOIN record AS l ON l.position = ${LAST}`
const SHOWN = [
  ...OF_FIRST.map((column) => `f.${column}`),
  ...OF_LAST.map((column) => `l.${column}`),
  'l.position AS lastPosition',
  'l.at AS lastAt',
  `${OUTCOME} AS outcome`,
].join(', ')

/** Conditions of a statement, and the values of its parameters in their order. */
class Conditions {
  readonly all: string[] = []
  readonly parameters: SQLInputValue[] = []

  add(condition: string, ...values: SQLInputValue[]): void {
    this.all.push(condition)
    this.parameters.push(...values)
  }
}

const BEGINS = 'begunAt IS NULL AND side IS NOT NULL'
/** Searches in a shorter time go over all exchanges of that time, longer ones over all of whom they name. */
const SHORT_MS = 86_400_000

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): Statement {
  const where = new Conditions()
  where.add('f.begunAt IS NULL AND f.side IS NOT NULL')
  if (query.from) where.add('f.at >= ?', query.from.getTime())
  if (query.to) where.add('f.at < ?', query.to.getTime())
  if (query.before !== undefined) where.add('f.position < ?', query.before)
  if (query.id !== undefined) {
    where.add(
      `f.position IN (SELECT position FROM record WHERE exchangeId = ?
        UNION ALL SELECT position FROM record WHERE messageId = ? AND ${BEGINS})`,
      ...[query.id, query.id],
    )
  }
  for (const column of ['userId', 'issue', 'purpose'] as const) {
    if (query[column] !== undefined) where.add(`f.${column} = ?`, query[column])
  }
  addParties(where, query)
  addRefusals(where, query)
  const picked = where.all.length
  if (query.outcome !== undefined) where.add(`${OUTCOME} = ?`, query.outcome)
  if (query.code !== undefined) where.add('l.code = ?', query.code)
  // Ends are looked up for what is shown only, unless it is they that are asked for.
  const ends = picked === where.all.length ? '' : ENDED
  const sql = `
    SELECT ${SHOWN} FROM record AS f ${ENDED} WHERE f.position IN (
      SELECT f.position FROM record AS f ${hintOf(query)} ${ends} WHERE ${where.all.join(' AND ')}
      ORDER BY f.position DESC LIMIT ?
    ) ORDER BY f.position DESC`
  return { sql, parameters: [...where.parameters, query.limit] }
}

/** Without statistics SQLite goes over all exchanges, newest first, where a time is the better way. */
function hintOf(query: LogQuery): string {
  const { id, userId, issue, purpose, client = '*', service = '*' } = query
  const isNamed = [id, userId, issue, purpose].some((name) => name !== undefined)
  const isWhole = !client.endsWith('*') || !service.endsWith('*')
  return isShort(query) && !isNamed && !isWhole ? 'INDEXED BY recordByTime' : ''
}

const isShort = ({ from, to }: LogQuery): boolean =>
  from !== undefined && to !== undefined && to.getTime() - from.getTime() <= SHORT_MS

/** Whose exchanges: named whole, by a prefix, or by what they are below of. */
function addParties(where: Conditions, query: LogQuery): void {
  for (const column of ['client', 'service'] as const) {
    const value = query[column]
    if (value === undefined) continue
    if (!value.endsWith('*')) where.add(`f.${column} = ?`, value)
    else {
      const prefix = value.slice(0, -1)
      addAny(where, query, { [column]: [[prefix, `${prefix}${LAST_CHARACTER}`]] })
    }
  }
  if (!query.within) return
  // What begins with `ID/` stands before `ID0`: the next character. No identifier has a control character.
  const ranges = query.within.flatMap((id): Range[] => [
    [id, `${id}\u0001`],
    [`${id}/`, `${id}0`],
  ])
  addAny(where, query, { client: ranges, service: ranges })
}

/** Texts from the first on, and before the second. */
type Range = readonly [from: string, below: string]

/** As JSON: a statement has a limited number of terms, and an auditor may have thousands of members. */
function addAny(
  where: Conditions,
  query: LogQuery,
  ranges: { readonly [column in 'client' | 'service']?: readonly Range[] },
): void {
  const columns = Object.keys(ranges)
  const inRange = (column: string): string =>
    `${column} >= json_extract(value, '$[0]') AND ${column} < json_extract(value, '$[1]')`
  const selects = columns.map((column) =>
    isShort(query)
      ? `EXISTS (SELECT 1 FROM json_each(?) WHERE ${inRange(`f.${column}`)})`
      : `SELECT position FROM json_each(?) CROSS JOIN record WHERE ${inRange(column)} AND ${BEGINS}`,
  )
  const values = Object.values(ranges).map((each) => JSON.stringify(each))
  if (isShort(query)) where.add(`(${selects.join(' OR ')})`, ...values)
  else where.add(`f.position IN (${selects.join(' UNION ALL ')})`, ...values)
}

/** Refusals are few among all records: a search for them begins with them. */
function addRefusals(where: Conditions, query: LogQuery): void {
  if (isShort(query) || (query.outcome !== 'refused' && query.code === undefined)) return
  const refusals = `SELECT coalesce(begunAt, position) FROM record WHERE kind = 'refusal'`
  if (query.code === undefined) where.add(`f.position IN (${refusals})`)
  else where.add(`f.position IN (${refusals} AND code = ?)`, query.code)
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
