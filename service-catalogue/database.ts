import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { ConfigError } from '../runtime/config.ts'
import { MIGRATIONS } from './schema.ts'

/**
 * The catalogue's store. A change that `transaction` returned from survives a power cut; one that
 * threw left nothing behind. Calls are synchronous, so that nothing comes in between.
 */
export interface Database extends Disposable {
  all<T>(sql: string, ...values: SQLInputValue[]): T[]
  get<T>(sql: string, ...values: SQLInputValue[]): T | undefined
  run(sql: string, ...values: SQLInputValue[]): void
  /** Runs `work` as a whole or, when it throws, not at all. Not to be nested. */
  transaction<T>(work: () => T): T
}

/**
 * Opens `stateDir/catalogue.db`, which is made at the first start; one of an earlier version is brought up
 * to this one, as a whole or not at all.
 *
 * @throws ConfigError when it cannot be opened, belongs to another instance, or is gone while the
 * key that signed its snapshots is still there: numbers would begin again at one, and every gateway
 * would refuse them.
 */
export function openDatabase(stateDir: string, instance: string): Database {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const file = join(stateDir, 'catalogue.db')
  if (!existsSync(file) && existsSync(join(stateDir, 'snapshot.key'))) {
    throw new ConfigError(
      `${file}: is missing, but snapshot.key is there; restore the database from a backup, ` +
        'or remove snapshot.key to begin a new catalogue with a new anchor',
    )
  }
  const sqlite = openSqlite(file)
  try {
    sqlite.exec('PRAGMA journal_mode = WAL')
    // Numbers and changes are promised durable: do not trust a default
    sqlite.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000')
    const database = wrap(sqlite)
    prepareSchema(database, sqlite, file, instance)
    return database
  } catch (error) {
    sqlite.close()
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file}: cannot be used (${(error as Error).message})`, { cause: error })
  }
}

function openSqlite(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file)
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be opened (${(cause as Error).message})`, { cause })
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
    run: (sql, ...values) => void prepare(sql).run(...values),
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

function prepareSchema(
  database: Database,
  sqlite: DatabaseSync,
  file: string,
  instance: string,
): void {
  database.transaction(() => {
    const version = database.get<{ user_version: number }>('PRAGMA user_version')!.user_version
    if (version > MIGRATIONS.length) {
      throw new ConfigError(
        `${file}: is of version ${version}, this program knows ${MIGRATIONS.length}`,
      )
    }
    for (const migration of MIGRATIONS.slice(version)) sqlite.exec(migration)
    sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
    if (version === 0) database.run('INSERT INTO catalogue VALUES (?)', instance)
  })
  const known = database.get<{ instance: string }>('SELECT instance FROM catalogue')!.instance
  if (known !== instance) {
    throw new ConfigError(
      `${file}: is the catalogue of ${known}, the configuration says ${instance}`,
    )
  }
}
