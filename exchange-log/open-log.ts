/** Opens all that an exchange log consists of: the only file that knows which database it is in. */
import type { ExchangeLogConfig } from './config.ts'
import { openPostgresDatabase, type PostgresDatabase } from './postgres-database.ts'
import { readPostgresUrl } from './postgres-url.ts'
import { createPostgresStampStore } from './stamp-store-postgres.ts'
import { openSqliteStampStore } from './stamp-store-sqlite.ts'
import type { StampStore } from './stamp-store.ts'
import { openPostgresLogStore } from './store-postgres.ts'
import { openSqliteLogStore } from './store-sqlite.ts'
import type { ExchangeLogStore } from './store.ts'
import { createPostgresTreeStore } from './tree-store-postgres.ts'
import { openSqliteTreeStore } from './tree-store-sqlite.ts'
import type { TreeStore } from './tree-store.ts'
import { createPostgresValidationStore } from './validation-store-postgres.ts'
import { openSqliteValidationStore } from './validation-store-sqlite.ts'
import type { ValidationStore } from './validation-store.ts'

export interface LogStores extends AsyncDisposable {
  readonly records: ExchangeLogStore
  readonly tree: TreeStore
  readonly stamps: StampStore
  readonly validation: ValidationStore
}

export interface LogStoresOptions extends Pick<ExchangeLogConfig, 'postgresUrlFile' | 'maxBytes'> {
  /** Where SQLite's files are. */
  readonly stateDir: string
}

/** @throws ConfigError when a database cannot be opened; nothing stays open then. */
export async function openLogStores(options: LogStoresOptions): Promise<LogStores> {
  const { stateDir, maxBytes, postgresUrlFile } = options
  if (postgresUrlFile !== undefined) {
    return openPostgresStores(readPostgresUrl(postgresUrlFile), maxBytes)
  }
  await using opening = new AsyncDisposableStack()
  const records = opening.use(await openSqliteLogStore(`${stateDir}/exchange-log.db`, { maxBytes }))
  const tree = opening.use(openSqliteTreeStore(`${stateDir}/log-tree.db`))
  const stamps = opening.use(openSqliteStampStore(`${stateDir}/time-stamps.db`))
  const validation = opening.use(openSqliteValidationStore(`${stateDir}/log-validation.db`))
  const open = opening.move()
  return { records, tree, stamps, validation, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

async function openPostgresStores(url: string, maxBytes: number): Promise<LogStores> {
  await using opening = new AsyncDisposableStack()
  const database = opening.use(await openPostgresDatabase(url))
  const records = opening.use(await openPostgresLogStore(database, { maxBytes }))
  const tree = opening.use(createPostgresTreeStore(database))
  const stamps = opening.use(createPostgresStampStore(database))
  const validation = opening.use(createPostgresValidationStore(database))
  const open = opening.move()
  return { records, tree, stamps, validation, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/** A log in PostgreSQL for somebody who only reads it. @throws ConfigError when it cannot be opened. */
export async function openPostgresForReading(
  url: string,
): Promise<
  Pick<LogStores, 'tree' | 'stamps' | 'validation'> &
    AsyncDisposable & { readonly database: PostgresDatabase }
> {
  const database = await openPostgresDatabase(url, { readOnly: true })
  return {
    database,
    tree: createPostgresTreeStore(database),
    stamps: createPostgresStampStore(database),
    validation: createPostgresValidationStore(database),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}
