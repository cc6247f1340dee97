import type { PostgresRow } from './postgres-database.ts'
import { RECORD_COLUMNS, STORED_COLUMNS } from './postgres-columns.ts'
import type { LogRecord, StoredRecord } from './record.ts'
import { LogStoreError, type SealedContent, type SealedRecord } from './store.ts'

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
  records: readonly {
    readonly values: readonly Value[]
    readonly content?: SealedContent
    readonly onceSince?: Date
  }[],
): unknown[] {
  const columns = STORED_COLUMNS.map((_, i) => records.map(({ values }) => values[i]))
  const parts = records.flatMap(({ content }, i) =>
    content && 'parts' in content
      ? content.parts.map((bytes, part) => ({ entry: i + 1, part, bytes }))
      : [],
  )
  return [
    ...columns,
    records.map(({ onceSince }) => onceSince?.toISOString() ?? null),
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

/** A row without the columns that are null; texts as they were given. */
export function present(row: PostgresRow): PostgresRow {
  const entries = Object.entries(row).filter(([, value]) => value !== null)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? readText(value) : value]),
  )
}
