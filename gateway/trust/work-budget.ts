/** How much work somebody may give this gateway. */
export interface WorkBudget {
  /** Spends one piece of it; false when `name` has spent all that it has for now. */
  spend(name: string): boolean
}

/**
 * Gives each name `perMinute` pieces of work at once, and as many anew in each minute.
 *
 * @param nowMs a clock that nobody sets.
 */
export function createWorkBudget(
  perMinute: number,
  nowMs: () => number = () => performance.now(),
): WorkBudget {
  const spent = new Map<string, { pieces: number; at: number }>()
  const leftOver = ({ pieces, at }: { pieces: number; at: number }): number =>
    Math.max(0, pieces - ((nowMs() - at) * perMinute) / 60_000)
  return {
    spend: (name) => {
      const known = spent.get(name)
      const pieces = known === undefined ? 0 : leftOver(known)
      if (pieces + 1 > perMinute) return false
      spent.set(name, { pieces: pieces + 1, at: nowMs() })
      // Who has spent nothing lately is as one who was never here.
      for (const [other, account] of spent) if (leftOver(account) === 0) spent.delete(other)
      return true
    },
  }
}
