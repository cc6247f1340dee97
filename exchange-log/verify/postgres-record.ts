import { readText, writeText } from '../postgres-rows.ts'
import { columnOf, FIRST, toCheckedRecord } from './record-rows.ts'
import { CANONICAL_COLUMNS } from './row-text.ts'
import type { CheckedRecord } from './source.ts'

/** What {@link readPostgresRow} takes. */
export const postgresColumns = ['position', 'salt', 'commitment', ...CANONICAL_COLUMNS]
  .map((name) => `"${name}"`)
  .join(', ')

const AT = columnOf('at')
const RECORDED_AT = columnOf('recordedAt')

/** A time of whole milliseconds, as PostgreSQL writes it in UTC. */
const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?\+00$/
const NONE = Buffer.alloc(0)

/**
 * A record of a row, whose times are texts. What a gateway would not have written is not taken for what it would
 * have: a value that reads the same and is stored otherwise was altered.
 */
export function readPostgresRow(row: unknown[]): CheckedRecord {
  let isWritten = true
  for (let i = FIRST; i < row.length; i += 1) {
    const value = row[i]
    if (i === AT || i === RECORDED_AT) row[i] = msOf(value)
    else if (typeof value === 'string' && value.includes('\\')) {
      row[i] = readText(value)
      if (writeText(row[i] as string) !== value) isWritten = false
    }
  }
  return toCheckedRecord(row, bytesOf(row[1]), bytesOf(row[2]), isWritten)
}

/** The owner of the tables may have given a column another type, or taken away that it must have a value. */
const bytesOf = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : NONE)

function msOf(value: unknown): number {
  if (typeof value !== 'string' || !TIME.test(value)) return NaN
  return Date.parse(`${value.slice(0, 10)}T${value.slice(11, -3)}Z`)
}
