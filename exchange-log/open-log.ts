/** Opens all that an exchange log consists of: the only file that knows which database it is in. */
import { openSqliteStampStore } from './stamp-store-sqlite.ts'
import type { StampStore } from './stamp-store.ts'
import { openSqliteLogStore } from './store-sqlite.ts'
import type { ExchangeLogStore } from './store.ts'
import { openSqliteTreeStore } from './tree-store-sqlite.ts'
import type { TreeStore } from './tree-store.ts'
import { openSqliteValidationStore } from './validation-store-sqlite.ts'
import type { ValidationStore } from './validation-store.ts'

export interface LogStores extends AsyncDisposable {
  readonly records: ExchangeLogStore
  readonly tree: TreeStore
  readonly stamps: StampStore
  readonly validation: ValidationStore
}

/** @throws ConfigError when a database cannot be opened; nothing stays open then. */
export async function openLogStores(options: {
  /** Where SQLite's files are. */
  readonly stateDir: string
  readonly maxBytes: number
}): Promise<LogStores> {
  const { stateDir, maxBytes } = options
  await using opening = new AsyncDisposableStack()
  const records = opening.use(await openSqliteLogStore(`${stateDir}/exchange-log.db`, { maxBytes }))
  const tree = opening.use(openSqliteTreeStore(`${stateDir}/log-tree.db`))
  const stamps = opening.use(openSqliteStampStore(`${stateDir}/time-stamps.db`))
  const validation = opening.use(openSqliteValidationStore(`${stateDir}/log-validation.db`))
  const open = opening.move()
  return { records, tree, stamps, validation, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
