import type { ReadOnlyDatabase } from './read-only-database.ts'

/** Which positions erasures name. */
export interface Erasures {
  covers(position: number): boolean
}

const ERASURES = `SELECT position, detail FROM record
  WHERE kind = 'erasure' AND side IS NULL AND position > ? ORDER BY position`

/** Reads the erasures of a log; those recorded since the last look are read when something is not covered. */
export function erasuresOf(db: ReadOnlyDatabase): Erasures {
  const erased = new Set<number>()
  let seen = 0
  const read = (): void => {
    for (const [position, detail] of db.rows(ERASURES, seen)) {
      seen = position as number
      for (const [first, last] of rangesIn(String(detail))) {
        for (let one = first; one <= last; one += 1) erased.add(one)
      }
    }
  }
  return {
    covers: (position) => {
      if (!erased.has(position)) read()
      return erased.has(position)
    },
  }
}

/** What exchange-log/erasure.ts writes; an event that says something else was altered, and covers nothing. */
function rangesIn(detail: string): [first: number, last: number][] {
  try {
    const { positions } = JSON.parse(detail) as { positions: [number, number][] }
    return positions.filter(([first, last]) => last - first < 1_000_000)
  } catch {
    return []
  }
}
