import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { ConfigError } from './config.ts'
import { touchPrivate } from './private-file.ts'

/**
 * A database in one file. A change that `transaction` returned from survives a power cut; one that threw
 * left nothing behind. Calls are synchronous, so that nothing comes in between.
 */
export interface Database extends Disposable {
  all<T>(sql: string, ...values: SQLInputValue[]): T[]
  get<T>(sql: string, ...values: SQLInputValue[]): T | undefined
  /** @returns how many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  /** Runs a script of several statements. */
  exec(sql: string): void
  /** Runs `work` as a whole or, when it throws, not at all. Not to be nested. */
  transaction<T>(work: () => T): T
}

const BUSY_TIMEOUT_MS = 5_000

/**
 * Opens `file`, which is made if it is not there, for its owner alone.
 *
 * @param prepare makes or migrates the tables, in one transaction. `version` is what it set with
 * {@link setVersion} when it ran last; 0 for a new file.
 * @throws ConfigError when the file cannot be used.
 */
export function openSqliteDatabase(
  file: string,
  prepare: (database: Database, version: number) => void,
): Database {
  touchPrivate(file)
  const sqlite = openFile(file)
  try {
    // What is promised durable: do not trust a default.
    sqlite.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
    const database = wrap(sqlite)
    database.transaction(() => {
      const { user_version } = database.get<{ user_version: number }>('PRAGMA user_version')!
      prepare(database, user_version)
    })
    return database
  } catch (error) {
    sqlite.close()
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file}: cannot be used (${(error as Error).message})`, { cause: error })
  }
}

export function setVersion(database: Database, version: number): void {
  database.exec(`PRAGMA user_version = ${version}`)
}

function openFile(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be opened (${(cause as Error).message})`, { cause })
  }
}

function wrap(sqlite: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string): StatementSync => {
    const made = statements.get(sql) ?? sqlite.prepare(sql)
    statements.set(sql, made)
    return made
  }
  return {
    all: <T>(sql: string, ...values: SQLInputValue[]) =>
      statement(sql).all(...values) as unknown as T[],
    get: <T>(sql: string, ...values: SQLInputValue[]) =>
      statement(sql).get(...values) as unknown as T | undefined,
    run: (sql, ...values) => Number(statement(sql).run(...values).changes),
    exec: (sql) => sqlite.exec(sql),
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
