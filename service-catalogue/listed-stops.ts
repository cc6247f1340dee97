import type { SnapshotStop } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'

/** For the snapshot, sorted. */
export function readStops(db: Database): SnapshotStop[] {
  return db.all<{ subject: string; since: string; reason: string }>(
    'SELECT subject, since, reason FROM stop ORDER BY subject',
  )
}
