/** Places that one user at a time has; those who come later wait in order. */
export interface Pool<T> {
  use<R>(job: (place: T) => Promise<R>): Promise<R>
  /** Takes no new jobs, waits for those that were taken, and gives all places back. */
  close(): Promise<readonly T[]>
}

/** So many wait for a token that does not answer, and no more: each of them holds its message. */
const MAX_WAITING = 1_000

/** @param refusal what a job gets when the pool is closed, or too many wait. */
export function createPool<T>(places: readonly T[], refusal: () => Error): Pool<T> {
  const idle = [...places]
  const waiting: ((place: T) => void)[] = []
  const jobs = new Set<Promise<unknown>>()
  let isClosed = false

  const acquire = (): Promise<T> => {
    const place = idle.pop()
    if (place !== undefined) return Promise.resolve(place)
    return new Promise((resolve) => waiting.push(resolve))
  }
  const release = (place: T): void => {
    const next = waiting.shift()
    if (next === undefined) idle.push(place)
    else next(place)
  }
  const run = async <R>(job: (place: T) => Promise<R>): Promise<R> => {
    const place = await acquire()
    try {
      return await job(place)
    } finally {
      release(place)
    }
  }
  return {
    use: async (job) => {
      if (isClosed || waiting.length >= MAX_WAITING) throw refusal()
      const running = run(job)
      jobs.add(running)
      try {
        return await running
      } finally {
        jobs.delete(running)
      }
    },
    close: async () => {
      isClosed = true
      await Promise.allSettled(jobs)
      return places
    },
  }
}
