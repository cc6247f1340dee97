import { buildColumnIndex, sortValues, valuesWithPrefix, type ColumnIndex } from './column-index.ts'
import type { Condition, Query } from './query.ts'
import type { Table } from './table.ts'

export interface Selection {
  /** Rows that satisfy all conditions, on this page or another. */
  readonly total: number
  /** Row numbers of the page, ascending. */
  readonly page: readonly number[]
  /** First row after the page, if there is one. */
  readonly nextRow?: number
}
export type SelectRows = (query: Query) => Promise<Selection>

/** Rows of one condition: a list, and the answer for a single row. */
interface Match {
  readonly rows: Uint32Array
  readonly has: (row: number) => boolean
}

/** Queries of one table. The index of a column is built when a query first asks for it. */
export function createSelectRows(table: Table): SelectRows {
  const indexOf = perColumn(async (column) => buildColumnIndex(table.values[column]!))
  const sortedOf = perColumn(async (column) => sortValues(await indexOf(column)))

  async function match({ column, text, match }: Condition): Promise<Match> {
    const index = await indexOf(column)
    if (match === 'exact') return exactMatch(index, text)
    return prefixMatch(index, valuesWithPrefix(await sortedOf(column), text))
  }

  return async ({ conditions, limit, fromRow }) => {
    if (conditions.length === 0) {
      const end = Math.min(fromRow + limit, table.rowCount)
      const page = Array.from({ length: end - fromRow }, (_, index) => fromRow + index)
      return { total: table.rowCount, page, ...(end < table.rowCount && { nextRow: end }) }
    }
    const matches: Match[] = []
    for (const condition of conditions) matches.push(await match(condition))
    const [fewest, ...others] = matches.toSorted((a, b) => a.rows.length - b.rows.length)
    const rows =
      others.length === 0
        ? fewest!.rows
        : fewest!.rows.filter((row) => others.every(({ has }) => has(row)))
    const begin = rows.findIndex((row) => row >= fromRow)
    if (begin === -1) return { total: rows.length, page: [] }
    const nextRow = rows[begin + limit]
    const page = [...rows.subarray(begin, begin + limit)]
    return { total: rows.length, page, ...(nextRow !== undefined && { nextRow }) }
  }
}

function perColumn<T>(build: (column: number) => Promise<T>): (column: number) => Promise<T> {
  const built = new Map<number, Promise<T>>()
  return (column) => {
    const known = built.get(column) ?? build(column)
    built.set(column, known)
    return known
  }
}

function exactMatch({ numberOf, valueOfRow, offsets, rows }: ColumnIndex, text: string): Match {
  const value = numberOf.get(text)
  if (value === undefined) return { rows: new Uint32Array(), has: () => false }
  return {
    rows: rows.subarray(offsets[value], offsets[value + 1]),
    has: (row) => valueOfRow[row] === value,
  }
}

/** Goes over all rows once, which keeps them in order: cheaper than sorting those of many values. */
function prefixMatch({ numberOf, valueOfRow }: ColumnIndex, values: readonly string[]): Match {
  const wanted = new Uint8Array(numberOf.size)
  for (const value of values) wanted[numberOf.get(value)!] = 1
  const has = (row: number): boolean => wanted[valueOfRow[row]!] === 1
  const rows = new Uint32Array(valueOfRow.length)
  let count = 0
  valueOfRow.forEach((value, row) => {
    if (wanted[value] === 1) rows[count++] = row
  })
  return { rows: rows.subarray(0, count), has }
}
