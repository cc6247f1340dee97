/** The statements that search the log in PostgreSQL. */
import type { RECORD_COLUMNS } from './postgres-columns.ts'
import type { PostgresRow } from './postgres-database.ts'
import { BEGINS } from './postgres-tables.ts'
import { present, SELECT, writeText } from './postgres-rows.ts'
import type { EventKind } from './record.ts'
import type { ContentOwner, ContentQuery, ExchangeSummary, LogQuery } from './store.ts'
import { OF_FIRST, OF_LAST } from './summary-columns.ts'

export interface Statement {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/** The last record of a run says how it ended. */
const ofLast = (column: keyof typeof RECORD_COLUMNS | 'position'): string =>
  `CASE WHEN e.position IS NULL THEN f."${column}" ELSE e."${column}" END`

const OUTCOME = `CASE ${ofLast('kind')} WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN CASE WHEN ${ofLast('status')} < 400 THEN 'ok' ELSE 'error' END ELSE 'unanswered' END`
const SHOWN = [
  ...OF_FIRST.map((column) => `f."${column}"`),
  ...OF_LAST.map((column) => `${ofLast(column)} AS "${column}"`),
  `${ofLast('position')} AS "lastPosition"`,
  `${ofLast('at')} AS "lastAt"`,
  `${OUTCOME} AS outcome`,
].join(', ')
const ENDED = `LEFT JOIN LATERAL (
  SELECT position, kind, at, peer, status, code, origin FROM spean.record
  WHERE "begunAt" = f.position ORDER BY position DESC LIMIT 1) AS e ON true`

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): Statement {
  const parameters: unknown[] = []
  const put = (value: unknown): string => `$${parameters.push(value)}`
  const conditions = ['f."begunAt" IS NULL', 'f.side IS NOT NULL']
  if (query.from) conditions.push(`f.at >= ${put(query.from.toISOString())}`)
  if (query.to) conditions.push(`f.at < ${put(query.to.toISOString())}`)
  if (query.before !== undefined) conditions.push(`f.position < ${put(query.before)}`)
  if (query.id !== undefined) {
    const id = put(writeText(query.id))
    // An array is looked up first, whatever the planner knows of the tables.
    conditions.push(`f.position = ANY (ARRAY(
      SELECT position FROM spean.record WHERE "exchangeId" = ${id}
      UNION ALL SELECT position FROM spean.record WHERE "messageId" = ${id} AND ${BEGINS}))`)
  }
  for (const column of ['userId', 'issue', 'purpose'] as const) {
    const value = query[column]
    if (value !== undefined) conditions.push(`f."${column}" = ${put(writeText(value))}`)
  }
  for (const column of ['client', 'service'] as const) {
    const value = query[column]
    if (value === undefined) continue
    const isPrefix = value.endsWith('*')
    const text = put(writeText(isPrefix ? value.slice(0, -1) : value))
    conditions.push(isPrefix ? `starts_with(f.${column}, ${text})` : `f.${column} = ${text}`)
  }
  if (query.within) {
    const ids = query.within.map(writeText)
    // What begins with `ID/` stands before `ID0`: the next character.
    const below = ids.map((id) => [put(`${id}/`), put(`${id}0`)] as const)
    const all = put(ids)
    const parties = ['f.client', 'f.service'].flatMap((party) => [
      `${party} = ANY (${all}::text[])`,
      ...below.map(([from, to]) => `(${party} >= ${from} AND ${party} < ${to})`),
    ])
    conditions.push(`(${parties.join(' OR ')})`)
  }
  // Ends are looked up for what is shown only, unless it is they that are asked for.
  const asksForEnd = query.outcome !== undefined || query.code !== undefined
  if (query.outcome !== undefined) conditions.push(`${OUTCOME} = ${put(query.outcome)}`)
  // The runs among which are those that end in a rare way: indexes have these.
  if (query.outcome === 'error') {
    conditions.push(`f.position IN
      (SELECT "begunAt" FROM spean.record WHERE kind = 'response' AND status >= 400)`)
  } else if (query.outcome === 'unanswered') {
    conditions.push('NOT EXISTS (SELECT FROM spean.record AS n WHERE n."begunAt" = f.position)')
  }
  if (query.code !== undefined || query.outcome === 'refused') {
    const code = query.code === undefined ? undefined : put(writeText(query.code))
    if (code !== undefined) conditions.push(`${ofLast('code')} = ${code}`)
    conditions.push(`f.position IN (SELECT coalesce("begunAt", position) FROM spean.record
      WHERE kind = 'refusal' ${code === undefined ? '' : `AND code = ${code}`})`)
  }
  const sql = `
    WITH f AS MATERIALIZED (
      SELECT f.* FROM spean.record AS f ${asksForEnd ? ENDED : ''}
      WHERE ${conditions.join(' AND ')} ORDER BY f.position DESC LIMIT ${put(query.limit)})
    SELECT ${SHOWN} FROM f ${ENDED} ORDER BY f.position DESC`
  return { sql, parameters }
}

export function toSummary({ lastPosition, lastAt, ...row }: PostgresRow): ExchangeSummary {
  const hasEnded = lastPosition !== row['position'] || row['outcome'] === 'refused'
  return present({ ...row, ...(hasEnded ? { endedAt: lastAt } : {}) }) as unknown as ExchangeSummary
}

export function eventsStatement(
  kinds: readonly EventKind[],
  after: number,
  limit: number,
): Statement {
  const condition = 'side IS NULL AND kind = ANY ($1::text[]) AND position > $2'
  const archived = SELECT.replace('spean.record', 'spean."archivedEvent"')
  return {
    sql: `${SELECT} WHERE ${condition} UNION ALL ${archived} WHERE ${condition} ORDER BY position LIMIT $3`,
    parameters: [kinds, after, limit],
  }
}

export function contentsStatement(query: ContentQuery): Statement {
  const parameters: unknown[] = [query.after ?? 0]
  const put = (value: unknown): string => `$${parameters.push(value)}`
  const conditions = ['position > $1']
  if (query.positions) conditions.push(`position = ANY (${put(query.positions)}::bigint[])`)
  if (query.exchangeId !== undefined) {
    const id = put(writeText(query.exchangeId))
    conditions.push(`position IN (SELECT position FROM spean.record WHERE "exchangeId" = ${id}
      UNION ALL SELECT position FROM spean."archivedContent" WHERE "exchangeId" = ${id})`)
  }
  const order = `position ${query.newestFirst === true ? 'DESC' : 'ASC'}`
  const sql = `
    WITH k AS MATERIALIZED (SELECT position FROM spean."recordKey"
      WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${put(query.limit)})
    SELECT k.position, coalesce(r."exchangeId", a."exchangeId") AS "exchangeId",
      coalesce(b.at, c.at, r.at, a.at) AS at, coalesce(r.client, a.client) AS client,
      coalesce(r.service, a.service) AS service,
      coalesce(r."userId", b."userId", c."userId", a."userId") AS "userId",
      coalesce(r.issue, b.issue, c.issue, a.issue) AS issue
    FROM k LEFT JOIN spean.record AS r ON r.position = k.position
      LEFT JOIN spean.record AS b ON b.position = r."begunAt"
      LEFT JOIN spean."archivedContent" AS c ON c.position = r."begunAt"
      LEFT JOIN spean."archivedContent" AS a ON a.position = k.position
    ORDER BY k.${order}`
  return { sql, parameters }
}

export function toOwner(row: PostgresRow): ContentOwner {
  return present(row) as unknown as ContentOwner
}
