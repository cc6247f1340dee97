import type { Database } from '../runtime/sqlite-database.ts'
import { invalid, type ReadClient } from './input.ts'

/** Whose list: the clients of a gateway, or the members of a group. */
export type ClientList = 'gateway' | 'groupCode'

/**
 * Replaces a list, inside the caller's transaction.
 *
 * @throws ExchangeError `admin.invalid` naming the first that is not registered.
 */
export function replaceClients(
  db: Database,
  list: ClientList,
  key: string,
  clients: readonly ReadClient[],
): void {
  db.run(`DELETE FROM listed_client WHERE ${list} = ?`, key)
  for (const { id, isMember, field } of clients) {
    const table = isMember ? 'member' : 'subsystem'
    if (db.get(`SELECT id FROM ${table} WHERE id = ?`, id) === undefined) {
      throw invalid(field, `there is no ${table} ${id}; register it first`)
    }
    db.run(`INSERT INTO listed_client (${list}, client, ${table}) VALUES (?, ?, ?)`, key, id, id)
  }
}

/** Identifiers, sorted. */
export function clientsOf(db: Database, list: ClientList, key: string): string[] {
  return db
    .all<{ client: string }>(
      `SELECT client FROM listed_client WHERE ${list} = ? ORDER BY client`,
      key,
    )
    .map(({ client }) => client)
}
