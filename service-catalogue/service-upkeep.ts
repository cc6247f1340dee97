import type { Endpoint } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { CatalogueContext } from './context.ts'
import { recordServiceEvent } from './service-events.ts'
import { plannedChange, setLife } from './service-life.ts'
import { findService, storeService } from './services.ts'

const ACTOR = 'catalogue'

/** Puts planned changes in force and retires deprecated services, each at its time. */
export function createServiceUpkeep({
  db,
  clock,
  changes,
}: Pick<CatalogueContext, 'db' | 'clock' | 'changes'>): () => Promise<void> {
  const due = (sql: string): string[] =>
    db.all<{ id: string }>(sql, clock().toISOString()).map(({ id }) => id)
  const make = (action: string, id: string, apply: () => void): Promise<unknown> =>
    changes.put({
      actor: ACTOR,
      action,
      subject: `service ${id}`,
      read: () => findService(db, id),
      apply,
    })
  return async () => {
    for (const id of due('SELECT service AS id FROM planned_change WHERE effectiveAt <= ?')) {
      await make('put-planned-service', id, () => putPlanned(db, id, clock()))
    }
    for (const id of due(`SELECT id FROM service WHERE state = 'deprecated' AND sunset <= ?`)) {
      await make('retire-service', id, () => retire(db, id, clock(), {}))
    }
  }
}

function putPlanned(db: Database, id: string, at: Date): void {
  const planned = plannedChange(db, id)
  const row = db.get<{ content: string; endpoints: string; body: Uint8Array | null }>(
    `SELECT content, endpoints, body FROM planned_change
     LEFT JOIN description ON digest = descriptionDigest WHERE service = ?`,
    id,
  )
  if (planned === undefined || row === undefined) return
  const from = db.get<{ version: string; classification: string | null }>(
    'SELECT version, classification FROM service WHERE id = ?',
    id,
  )!
  const content = JSON.parse(row.content) as Parameters<typeof storeService>[1]
  const { version, descriptionDigest: digest, ...data } = planned
  const endpoints = JSON.parse(row.endpoints) as Endpoint[]
  const described =
    digest === undefined || row.body === null
      ? undefined
      : { digest, bytes: Buffer.from(row.body), endpoints }
  // The classification took effect when it was sent, and may have been sent again since
  storeService(db, { ...content, classification: from.classification }, described)
  setLife(db, id, { version })
  db.run('DELETE FROM planned_change WHERE service = ?', id)
  const told = { from: from.version, ...data, ...(digest ? { descriptionDigest: digest } : {}) }
  recordServiceEvent(db, { type: 'service.changed', service: id, version, data: told }, at)
}

/** Nothing is planned any more for a service that is over. */
export function retire(
  db: Database,
  id: string,
  at: Date,
  { reason }: { readonly reason?: string },
): void {
  const { version, sunset } = db.get<{ version: string; sunset: string | null }>(
    'SELECT version, sunset FROM service WHERE id = ?',
    id,
  )!
  const now = at.toISOString()
  setLife(db, id, { state: 'retired', sunset: sunset !== null && sunset < now ? sunset : now })
  db.run('DELETE FROM planned_change WHERE service = ?', id)
  const data = reason === undefined ? {} : { reason }
  recordServiceEvent(db, { type: 'service.retired', service: id, version, data }, at)
}
