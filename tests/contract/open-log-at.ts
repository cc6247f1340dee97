import { openPostgresDatabase } from '../../exchange-log/postgres-database.ts'
import { openPostgresLogStore } from '../../exchange-log/store-postgres.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'

const GIGABYTE = 1_073_741_824

/** @param where URL of a database, or a file. */
export async function openLogAt(where: string, maxBytes = GIGABYTE): Promise<ExchangeLogStore> {
  if (!where.startsWith('postgres:')) return openSqliteLogStore(where, { maxBytes })
  await using opening = new AsyncDisposableStack()
  const database = opening.use(await openPostgresDatabase(where))
  const store = opening.use(await openPostgresLogStore(database, { maxBytes }))
  const open = opening.move()
  return { ...store, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
