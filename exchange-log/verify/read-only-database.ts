import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { ConfigError } from '../../runtime/config.ts'

/** A database that is read as it is, also while a gateway writes to it. */
export interface ReadOnlyDatabase extends Disposable {
  /** Rows as arrays, in the order of the columns that were asked for. */
  rows(sql: string, ...values: SQLInputValue[]): unknown[][]
  row(sql: string, ...values: SQLInputValue[]): unknown[] | undefined
  /** Rows by the names of their columns. */
  objects(sql: string, ...values: SQLInputValue[]): Record<string, unknown>[]
}

const BUSY_MS = 5000

/** @throws ConfigError when there is none, or it cannot be opened. */
export function openReadOnly(file: string): ReadOnlyDatabase {
  if (!existsSync(file)) throw new ConfigError(`${file}: there is no such file`)
  const db = openFile(file)
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const made = db.prepare(sql)
    made.setReturnArrays(true)
    statements.set(sql, made)
    return made
  }
  return {
    rows: (sql, ...values) => statement(sql).all(...values) as unknown as unknown[][],
    row: (sql, ...values) => statement(sql).get(...values) as unknown as unknown[] | undefined,
    objects: (sql, ...values) => db.prepare(sql).all(...values),
    [Symbol.dispose]: () => db.close(),
  }
}

function openFile(file: string): DatabaseSync {
  const open = (path: string | URL): DatabaseSync => {
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS })
    db.prepare('SELECT 1 FROM sqlite_schema').get() // opens the file, and its write-ahead log
    return db
  }
  try {
    return open(file)
  } catch (cause) {
    const asIs = pathToFileURL(file)
    asIs.search = 'immutable=1' // on a medium that cannot be written
    try {
      if (!existsSync(`${file}-wal`)) return open(asIs)
    } catch {
      // the first reason is the better one
    }
    throw new ConfigError(`${file}: cannot be opened (${(cause as Error).message})`, { cause })
  }
}
