/** Entries of one commit. More would hold up those that come after. */
const BATCH = 256
/** Of what the entries of one commit hold; a larger entry has a commit to itself. */
const BATCH_BYTES = 4_194_304

export interface GroupCommit<T, R> {
  /** @returns what `commit` returned for this entry. */
  add(entry: T): Promise<R>
  /** Resolves when all that was added is committed or was rejected. */
  settled(): Promise<void>
}

/**
 * Commits entries in the order in which they came. Whatever comes while a commit runs shares the next one.
 *
 * @param commit when it throws, it is taken to have taken none. @returns what became of each.
 */
export function createGroupCommit<T, R>(
  commit: (entries: readonly T[]) => Promise<readonly R[]>,
  sizeOf: (entry: T) => number,
): GroupCommit<T, R> {
  const waiting: { readonly entry: T; readonly promise: PromiseWithResolvers<R> }[] = []
  let running: Promise<void> | undefined

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      let bytes = 0
      const count = waiting.findIndex(({ entry }, i) => {
        bytes += sizeOf(entry)
        return i === BATCH || (i > 0 && bytes > BATCH_BYTES)
      })
      const batch = waiting.splice(0, count === -1 ? waiting.length : count)
      try {
        const results = await commit(batch.map(({ entry }) => entry))
        batch.forEach(({ promise }, i) => promise.resolve(results[i]!))
      } catch (error) {
        for (const { promise } of batch) promise.reject(error)
      }
    }
    running = undefined
  }
  return {
    add: (entry) => {
      const promise = Promise.withResolvers<R>()
      waiting.push({ entry, promise })
      running ??= run()
      return promise.promise
    },
    settled: async () => running,
  }
}
