import { parseCursor } from './cursor.ts'
import { Refusal } from './refusal.ts'
import { comparable, type Table } from './table.ts'

export interface Condition {
  readonly column: number
  /** `comparable` text: the whole value, or its beginning. */
  readonly text: string
  readonly match: 'exact' | 'prefix'
}
export interface Query {
  readonly conditions: readonly Condition[]
  readonly limit: number
  /** Rows before this one are not wanted. */
  readonly fromRow: number
}

const DEFAULT_LIMIT = 100
export const MAX_LIMIT = 1000
/** Reaches every column, also one called `limit` or `cursor`. */
const COLUMN_PREFIX = 'column.'
const RESERVED = ['limit', 'cursor']

/**
 * Reads the query of a list: `column=value` (all must hold), `limit`, `cursor`.
 *
 * @param search what follows `?`, set by the caller.
 * @throws Refusal with a `query.*` or `cursor.*` code.
 */
export function parseQuery(table: Table, search: string): Query {
  const conditions: Condition[] = []
  const reserved = new Map<string, string>()
  for (const [name, value] of parseParameters(search)) {
    if (RESERVED.includes(name)) {
      if (reserved.has(name)) repeated(name)
      reserved.set(name, value)
      continue
    }
    const column = columnOf(table, name)
    if (conditions.some((other) => other.column === column)) repeated(name)
    conditions.push({ column, ...parsePattern(value) })
  }
  const cursor = reserved.get('cursor')
  return {
    conditions,
    limit: parseLimit(reserved.get('limit')),
    fromRow: cursor === undefined ? 0 : parseCursor(table, cursor),
  }
}

/** The name by which the description offers a column; `parseQuery` understands it. */
export function parameterName(table: Table, column: number): string {
  const name = table.columns[column]!
  const taken = RESERVED.includes(name) || resolveColumn(table, name) !== column
  return taken ? `${COLUMN_PREFIX}${name}` : name
}

function repeated(parameter: string): never {
  throw new Refusal('query.parameter-repeated', `${parameter} may be given once`, { parameter })
}

/** URLSearchParams would let broken percent-encoding pass as text. */
function parseParameters(search: string): [name: string, value: string][] {
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text.replaceAll('+', ' '))
    } catch {
      throw new Refusal('query.malformed', 'percent-encode the query as UTF-8')
    }
  }
  const parts = search.split('&').filter((part) => part !== '')
  return parts.map((part) => {
    const [name, ...value] = part.split('=')
    return [comparable(decode(name!)), comparable(decode(value.join('=')))]
  })
}

function resolveColumn({ names }: Table, parameter: string): number {
  const name = comparable(parameter)
  const prefixed = name.startsWith(COLUMN_PREFIX)
    ? names.indexOf(name.slice(COLUMN_PREFIX.length))
    : -1
  return prefixed === -1 ? names.indexOf(name) : prefixed
}

function columnOf(table: Table, parameter: string): number {
  const column = resolveColumn(table, parameter)
  if (column !== -1) return column
  const { columns } = table
  throw new Refusal(
    'query.column-unknown',
    `there is no column ${parameter}; there are ${columns.join(', ')}`,
    { parameter, columns },
  )
}

/** `abc` the whole value, `abc*` its beginning, `abc\*` the whole value `abc*`. */
function parsePattern(value: string): Pick<Condition, 'text' | 'match'> {
  if (value.endsWith('\\*')) return { text: `${value.slice(0, -2)}*`, match: 'exact' }
  if (value.endsWith('*')) return { text: value.slice(0, -1), match: 'prefix' }
  return { text: value, match: 'exact' }
}

function parseLimit(limit: string | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT
  if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MAX_LIMIT) {
    throw new Refusal('query.limit-invalid', `limit is a number from 1 to ${MAX_LIMIT}`)
  }
  return Number(limit)
}
