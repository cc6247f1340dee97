import { readText, writeText } from '../postgres-rows.ts'
import type { Keeping } from '../record.ts'
import { CANONICAL_COLUMNS, rowText } from './row-text.ts'
import type { CheckedRecord } from './source.ts'

/** What {@link toCheckedRecord} takes. */
export const postgresColumns = ['position', 'salt', 'commitment', ...CANONICAL_COLUMNS]
  .map((name) => `"${name}"`)
  .join(', ')

const FIRST = 3
const columnOf = (name: (typeof CANONICAL_COLUMNS)[number]): number =>
  FIRST + CANONICAL_COLUMNS.indexOf(name)
const AT = columnOf('at')
const RECORDED_AT = columnOf('recordedAt')
const EXCHANGE_ID = columnOf('exchangeId')
const KIND = columnOf('kind')
const KEPT = columnOf('kept')
const MANIFEST = columnOf('manifest')
const DETAIL = columnOf('detail')

/** A time of whole milliseconds, as PostgreSQL writes it in UTC. */
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?\+00$/
const NONE = Buffer.alloc(0)

/**
 * A record of a row, whose times are texts. What a gateway would not have written is not taken for what it would
 * have: a value that reads the same and is stored otherwise was altered.
 */
export function toCheckedRecord(row: unknown[]): CheckedRecord {
  let isWritten = true
  for (let i = FIRST; i < row.length; i += 1) {
    const value = row[i]
    if (i === AT || i === RECORDED_AT) row[i] = msOf(value)
    else if (typeof value === 'string' && value.includes('\\')) {
      row[i] = readText(value)
      if (writeText(row[i] as string) !== value) isWritten = false
    }
  }
  const text = (value: unknown): string | undefined =>
    typeof value === 'string' ? value : undefined
  return {
    position: row[0] as number,
    salt: bytesOf(row[1]),
    commitment: bytesOf(row[2]),
    text: isWritten ? rowText(row, FIRST) : undefined,
    exchangeId: String(row[EXCHANGE_ID]),
    kind: String(row[KIND]),
    recordedAt: row[RECORDED_AT] as number,
    kept: text(row[KEPT]) as Keeping | undefined,
    manifest: text(row[MANIFEST]),
    detail: text(row[DETAIL]),
  }
}

/** The owner of the tables may have given a column another type, or taken away that it must have a value. */
const bytesOf = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : NONE)

function msOf(value: unknown): number {
  if (typeof value !== 'string' || !TIME.test(value)) return NaN
  return Date.parse(`${value.slice(0, 10)}T${value.slice(11, -3)}Z`)
}
