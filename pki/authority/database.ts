import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { ConfigError } from '../../runtime/config.ts'
import { touchPrivate } from '../../runtime/private-file.ts'
import { SCHEMA, SCHEMA_VERSION } from './schema.ts'

/**
 * The authority's records. What a call did is on the disk when it returns, and seen by every later call.
 * Calls are synchronous, so that nothing comes in between.
 */
export interface Database extends Disposable {
  all<T>(sql: string, ...values: SQLInputValue[]): T[]
  get<T>(sql: string, ...values: SQLInputValue[]): T | undefined
  /** @returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  /** Runs `work` as a whole or, when it throws, not at all. Not to be nested. */
  transaction<T>(work: () => T): T
}

const BUSY_TIMEOUT_MS = 5_000

/**
 * Opens `stateDir/authority.db`, which is made at the first start.
 *
 * @throws ConfigError when it cannot be used, or is gone while the certificates of the authority are there:
 * without its records it would call every certificate it ever issued unknown.
 */
export function openDatabase(stateDir: string): Database {
  const file = join(stateDir, 'authority.db')
  if (!existsSync(file) && existsSync(join(stateDir, 'root.pem'))) {
    throw new ConfigError(`${file}: is missing beside root.pem; restore it from the backup`)
  }
  touchPrivate(file)
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  try {
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
    const database = wrap(sqlite)
    database.transaction(() => prepareSchema(database, sqlite, file))
    return database
  } catch (error) {
    sqlite.close()
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file}: cannot be used (${(error as Error).message})`, { cause: error })
  }
}

function wrap(sqlite: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    const statement = statements.get(sql) ?? sqlite.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return {
    all: <T>(sql: string, ...values: SQLInputValue[]) =>
      prepare(sql).all(...values) as unknown as T[],
    get: <T>(sql: string, ...values: SQLInputValue[]) =>
      prepare(sql).get(...values) as unknown as T | undefined,
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    transaction: (work) => {
      sqlite.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        sqlite.exec('COMMIT')
        return result
      } catch (error) {
        // SQLite has undone it already after some faults, a full disk for one
        if (sqlite.isTransaction) sqlite.exec('ROLLBACK')
        throw error
      }
    },
    [Symbol.dispose]: () => sqlite.close(),
  }
}

function prepareSchema(database: Database, sqlite: DatabaseSync, file: string): void {
  const version = database.get<{ user_version: number }>('PRAGMA user_version')!.user_version
  if (version === SCHEMA_VERSION) return
  const isEmpty = database.get('SELECT name FROM sqlite_schema LIMIT 1') === undefined
  if (version !== 0 || !isEmpty) {
    throw new ConfigError(
      `${file}: is of version ${version}, this program knows ${SCHEMA_VERSION} only; begin with a new stateDir`,
    )
  }
  sqlite.exec(SCHEMA)
  sqlite.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
}
