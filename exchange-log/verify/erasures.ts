/** Which positions erasures name. */
export interface Erasures {
  covers(position: number): Promise<boolean>
}

/** An event of the log, as far as it matters here. */
export interface ErasureEvent {
  readonly position: number
  readonly detail: string
}

/**
 * Reads the erasures of a log; those recorded since the last look are read when something is not covered.
 *
 * @param readAfter erasures recorded behind a position, oldest first.
 */
export function erasuresOf(
  readAfter: (position: number) => Promise<readonly ErasureEvent[]>,
): Erasures {
  const erased = new Set<number>()
  let seen = 0
  return {
    covers: async (position) => {
      if (erased.has(position)) return true
      for (const event of await readAfter(seen)) {
        seen = event.position
        for (const [first, last] of rangesIn(event.detail)) {
          for (let one = first; one <= last; one += 1) erased.add(one)
        }
      }
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
