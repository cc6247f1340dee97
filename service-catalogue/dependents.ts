import { ExchangeError } from '../protocol/errors.ts'
import type { Database } from '../runtime/sqlite-database.ts'

const DEPENDENTS = {
  member: `
    SELECT 'subsystem ' || id AS name FROM subsystem WHERE member = ?1 UNION ALL
    SELECT 'gateway ' || id FROM gateway WHERE member = ?1 UNION ALL
    SELECT 'gateway ' || gateway || ' (as a client)' FROM listed_client
      WHERE client = ?1 AND gateway IS NOT NULL UNION ALL
    SELECT 'group ' || groupCode FROM listed_client WHERE client = ?1 AND groupCode IS NOT NULL`,
  subsystem: `
    SELECT 'service ' || id AS name FROM service WHERE subsystem = ?1 UNION ALL
    SELECT 'gateway ' || gateway || ' (as a client)' FROM listed_client
      WHERE client = ?1 AND gateway IS NOT NULL UNION ALL
    SELECT 'group ' || groupCode FROM listed_client WHERE client = ?1 AND groupCode IS NOT NULL`,
} as const

const NAMED = 5

/** @throws ExchangeError `admin.conflict` naming what still refers to it. */
export function refuseDependents(db: Database, kind: keyof typeof DEPENDENTS, id: string): void {
  // One more than is named, to tell that there are more
  const rows = db.all<{ name: string }>(`${DEPENDENTS[kind]} LIMIT ${NAMED + 1}`, id)
  if (rows.length === 0) return
  const names = rows.slice(0, NAMED).map(({ name }) => name)
  if (rows.length > NAMED) names.push('and more')
  throw new ExchangeError('admin.conflict', `${kind} ${id} is needed by ${names.join(', ')}`)
}
