import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Endpoint } from '../../protocol/snapshot.ts'
import type { Grant } from '../exchange-state.ts'
import { createKnownPairs } from '../known-pairs.ts'

/**
 * Grants in a table, found by an index, those used last in memory: a call looks at its own few, however many
 * there are, and they take no memory.
 */
export interface Grants {
  /** In the order in which they were given. */
  all(): Grant[]
  /** Those on a service for any of these subjects, in the order in which they were given. */
  for(service: string, subjects: readonly string[]): readonly Grant[]
  add(grant: Grant): void
  /** @returns whether there was one. */
  remove(id: string): boolean
}

export const GRANT_TABLE = `
  CREATE TABLE IF NOT EXISTS accessGrant (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, service TEXT NOT NULL, endpoints TEXT NOT NULL,
    grantedAt INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS accessGrant_service ON accessGrant (service, subject);`

/** Pairs of service and subject, about 500 bytes each. */
const MAX_REMEMBERED = 10_000

interface Placed {
  readonly place: number
  readonly grant: Grant
}

/** @param db with {@link GRANT_TABLE}. */
export function openGrants(db: DatabaseSync): Grants {
  const find = db.prepare(
    'SELECT rowid AS place, * FROM accessGrant WHERE service = ? AND subject = ? ORDER BY rowid',
  )
  const known = createKnownPairs()
  const pairs = db.prepare('SELECT DISTINCT service, subject FROM accessGrant').iterate()
  for (const { service, subject } of pairs) known.add(String(service), String(subject))

  const remembered = new Map<string, readonly Placed[]>()
  const of = (service: string, subject: string): readonly Placed[] => {
    const key = `${service} ${subject}`
    const before = remembered.get(key)
    if (before !== undefined) return before
    const found = find.all(service, subject).map(toPlaced)
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!)
    remembered.set(key, found)
    return found
  }
  return {
    all: () =>
      db
        .prepare('SELECT rowid AS place, * FROM accessGrant ORDER BY rowid')
        .all()
        .map((row) => toPlaced(row).grant),
    for: (service, subjects) => {
      const lists = known.of(service, [...new Set(subjects)]).map((s) => of(service, s))
      const placed = lists.flat()
      if (lists.length > 1) placed.sort((a, b) => a.place - b.place)
      return placed.map(({ grant }) => grant)
    },
    add: ({ id, subject, service, endpoints, grantedAt }) => {
      db.prepare('INSERT OR REPLACE INTO accessGrant VALUES (?, ?, ?, ?, ?)').run(
        id,
        subject,
        service,
        JSON.stringify(endpoints),
        grantedAt.getTime(),
      )
      known.add(service, subject)
      remembered.clear()
    },
    remove: (id) => {
      const { changes } = db.prepare('DELETE FROM accessGrant WHERE id = ?').run(id)
      remembered.clear()
      return changes !== 0
    },
  }
}

function toPlaced(row: Record<string, SQLOutputValue>): Placed {
  const grant = {
    id: String(row.id),
    subject: String(row.subject),
    service: String(row.service),
    endpoints: JSON.parse(String(row.endpoints)) as Endpoint[],
    grantedAt: new Date(Number(row.grantedAt)),
  }
  return { place: Number(row.place), grant }
}
