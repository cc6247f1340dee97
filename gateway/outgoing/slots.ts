/** The connections that may be in use at one time. A client's own queue would have no end and no clock. */
export interface Slots {
  /**
   * Takes a slot until `scope` is disposed, waiting for one if all are taken.
   *
   * @returns false when none came free in time.
   */
  take(scope: AsyncDisposableStack): Promise<boolean>
}

export function createSlots(count: number, waitMs: number): Slots {
  let free = count
  const waiting = new Set<() => void>()
  const release = (): void => {
    const [next] = waiting
    if (next === undefined) free += 1
    else next()
  }
  const wait = (): Promise<boolean> =>
    new Promise((resolve) => {
      const settle = (taken: boolean): void => {
        clearTimeout(timer)
        waiting.delete(onFree)
        resolve(taken)
      }
      const onFree = (): void => settle(true)
      const timer = setTimeout(() => settle(false), waitMs)
      waiting.add(onFree)
    })
  return {
    take: async (scope) => {
      if (free > 0) free -= 1
      else if (!(await wait())) return false
      scope.defer(release)
      return true
    },
  }
}
