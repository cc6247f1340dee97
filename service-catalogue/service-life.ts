import type { SnapshotService } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { Difference, ChangeLevel } from './comparison/difference.ts'
import { FIRST_VERSION } from './comparison/versions.ts'

export interface LifeColumns {
  readonly version: string
  readonly state: 'draft' | 'published' | 'deprecated' | 'retired'
  readonly deprecatedAt: string | null
  readonly sunset: string | null
  readonly successor: string | null
}

type Life = Pick<SnapshotService, 'version' | 'state' | 'deprecatedAt' | 'sunset' | 'successor'>

/** As snapshots have it: what is so when nothing is said is left out (protocol/README.md §7.8). */
export function toLife({ version, state, deprecatedAt, sunset, successor }: LifeColumns): Life {
  return {
    ...(version === FIRST_VERSION ? {} : { version }),
    ...(state === 'deprecated' || state === 'retired' ? { state } : {}),
    ...(deprecatedAt === null ? {} : { deprecatedAt }),
    ...(sunset === null ? {} : { sunset }),
    ...(successor === null ? {} : { successor }),
  }
}

export function setLife(db: Database, id: string, life: Partial<LifeColumns>): void {
  for (const [column, value] of Object.entries(life)) {
    db.run(`UPDATE service SET ${column} = ? WHERE id = ?`, value, id)
  }
}

/** A change that is announced and not in force yet. */
export interface PlannedView {
  readonly title: string
  readonly validation?: SnapshotService['validation']
  readonly version: string
  readonly effectiveAt: string
  readonly level?: ChangeLevel
  readonly descriptionDigest?: string
  readonly differences: readonly Difference[]
  readonly reason?: string
}

interface PlannedRow {
  readonly version: string
  readonly effectiveAt: string
  readonly level: ChangeLevel | null
  readonly descriptionDigest: string | null
  readonly differences: string
  readonly reason: string | null
  /** JSON of the service as it will be. */
  readonly content: string
}

export function plannedChange(db: Database, id: string): PlannedView | undefined {
  const row = db.get<PlannedRow>(
    `SELECT version, effectiveAt, level, descriptionDigest, differences, reason, content
     FROM planned_change WHERE service = ?`,
    id,
  )
  if (row === undefined) return undefined
  const { version, effectiveAt, level, descriptionDigest, differences, reason } = row
  const { title, validation } = JSON.parse(row.content) as {
    title: string
    validation: NonNullable<PlannedView['validation']> | null
  }
  return {
    title,
    ...(validation === null ? {} : { validation }),
    version,
    effectiveAt,
    ...(level === null ? {} : { level }),
    ...(descriptionDigest === null ? {} : { descriptionDigest }),
    differences: JSON.parse(differences) as Difference[],
    ...(reason === null ? {} : { reason }),
  }
}
