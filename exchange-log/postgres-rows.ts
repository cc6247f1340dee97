import type { PostgresRow } from './postgres-database.ts'
import { RECORD_COLUMNS, STORED_COLUMNS } from './postgres-columns.ts'
import type { LogRecord, StoredRecord } from './record.ts'
import {
  LogStoreError,
  type ExchangeSummary,
  type LogQuery,
  type SealedContent,
  type SealedRecord,
} from './store.ts'

export type Value = string | number | Buffer | null

/** PostgreSQL's texts have no U+0000. Written character by character, so that prefixes stay prefixes. */
export function writeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

export function readText(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(.)/g, (_, character) => (character === '0' ? '\0' : '\\'))
}

/**
 * The values of {@link STORED_COLUMNS}. One that PostgreSQL would not take is refused here: it would take the
 * other records of its commit with it.
 *
 * @throws LogStoreError
 */
export function toValues({ record, salt, commitment, content }: SealedRecord): Value[] {
  const staged = content && 'staged' in content ? -content.staged : null
  const own: Record<string, Value> = { salt, commitment, staged }
  return STORED_COLUMNS.map(([name]) => own[name] ?? toValue(record[name as keyof LogRecord]))
}

function toValue(value: string | number | Date | undefined): Value {
  if (value === undefined) return null
  if (typeof value === 'string') return writeText(value)
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value
    throw new LogStoreError(`a record has the number ${value}`)
  }
  const year = value.getUTCFullYear()
  if (year >= 1 && year <= 9999) return value.toISOString()
  throw new LogStoreError('a record has a time that is none')
}

/** The parameters of `spean.append`. */
export function toParameters(
  records: readonly { readonly values: readonly Value[]; readonly content?: SealedContent }[],
): unknown[] {
  const columns = STORED_COLUMNS.map((_, i) => records.map(({ values }) => values[i]))
  const parts = records.flatMap(({ content }, i) =>
    content && 'parts' in content
      ? content.parts.map((bytes, part) => ({ entry: i + 1, part, bytes }))
      : [],
  )
  return [
    ...columns,
    records.map(({ content }) => content?.wrappedKey ?? null),
    parts.map(({ entry }) => entry),
    parts.map(({ part }) => part),
    parts.map(({ bytes }) => bytes),
  ]
}

const READ_COLUMNS = ['position', 'salt', 'commitment', ...Object.keys(RECORD_COLUMNS)]
export const SELECT = `SELECT ${READ_COLUMNS.map((name) => `"${name}"`).join(', ')} FROM spean.record`

export function toRecord(row: PostgresRow): StoredRecord {
  return present(row) as unknown as StoredRecord
}

/** Without the columns that are null; texts as they were given. */
function present(row: PostgresRow): PostgresRow {
  const entries = Object.entries(row).filter(([, value]) => value !== null)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? readText(value) : value]),
  )
}

/** The last record of a run says how it ended. */
const ofLast = (column: keyof typeof RECORD_COLUMNS | 'position'): string =>
  `CASE WHEN e.position IS NULL THEN f."${column}" ELSE e."${column}" END`

const OUTCOME = `CASE ${ofLast('kind')} WHEN 'refusal' THEN 'refused' WHEN 'response'
  THEN CASE WHEN ${ofLast('status')} < 400 THEN 'ok' ELSE 'error' END ELSE 'unanswered' END`
const OF_FIRST = [
  'exchangeId',
  'side',
  'at',
  'client',
  'service',
  'method',
  'target',
  'messageId',
  'userId',
  'issue',
  'purpose',
] as const

/** The statement for a query, and its parameters. */
export function listStatement(query: LogQuery): { sql: string; parameters: unknown[] } {
  const parameters: unknown[] = []
  const put = (value: unknown): string => `$${parameters.push(value)}`
  const conditions = ['f."begunAt" IS NULL', 'f.side IS NOT NULL']
  if (query.from) conditions.push(`f.at >= ${put(query.from.toISOString())}`)
  if (query.to) conditions.push(`f.at < ${put(query.to.toISOString())}`)
  if (query.before !== undefined) conditions.push(`f.position < ${put(query.before)}`)
  if (query.id !== undefined) {
    const id = put(writeText(query.id))
    conditions.push(`(f."exchangeId" = ${id} OR f."messageId" = ${id})`)
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
    const ids = put(query.within.map(writeText))
    conditions.push(`(f.client = ANY(${ids}::text[]) OR f.service = ANY(${ids}::text[]) OR EXISTS (
      SELECT FROM unnest(${ids}::text[]) AS id
      WHERE starts_with(f.client, id || '/') OR starts_with(f.service, id || '/')))`)
  }
  if (query.outcome !== undefined) conditions.push(`${OUTCOME} = ${put(query.outcome)}`)
  if (query.code !== undefined) conditions.push(`${ofLast('code')} = ${put(writeText(query.code))}`)
  const sql = `
    SELECT f.position, ${OF_FIRST.map((column) => `f."${column}"`).join(', ')},
      ${(['peer', 'status', 'code', 'origin'] as const).map((column) => `${ofLast(column)} AS "${column}"`).join(', ')},
      ${ofLast('position')} AS "lastPosition", ${ofLast('at')} AS "lastAt", ${OUTCOME} AS outcome
    FROM spean.record AS f LEFT JOIN LATERAL (
      SELECT position, kind, at, peer, status, code, origin FROM spean.record
      WHERE "begunAt" = f.position ORDER BY position DESC LIMIT 1) AS e ON true
    WHERE ${conditions.join(' AND ')} ORDER BY f.position DESC LIMIT ${put(query.limit)}`
  return { sql, parameters }
}

export function toSummary({ lastPosition, lastAt, ...row }: PostgresRow): ExchangeSummary {
  const hasEnded = lastPosition !== row['position'] || row['outcome'] === 'refused'
  return present({ ...row, ...(hasEnded ? { endedAt: lastAt } : {}) }) as unknown as ExchangeSummary
}
