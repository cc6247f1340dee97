/** Calls without end through two gateways that may be gone at any moment. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from '../../tests/fuzz/random.ts'

export interface Load {
  /** Exchange ids of calls whose whole answer, with status 200, has come. */
  readonly answered: readonly string[]
  /** Calls that were refused, or broke. */
  readonly failed: number
  /** Calls that wait for their answer now. */
  readonly underWay: number
  stop(): Promise<void>
}

const WORKERS = 8
const CALL_MS = 15_000
/** Longest pause between two calls of a worker. */
const PAUSE_MS = 25
/** What comes back does so on the same processors: it is not to wait for calls that can only fail. */
const AFTER_FAILURE_MS = 120

export function startLoad(options: {
  readonly urls: readonly string[]
  readonly client: string
  readonly random: Random
}): Load {
  const { urls, client, random } = options
  const answered: string[] = []
  let failed = 0
  let underWay = 0
  let on = true
  const call = async (): Promise<boolean> => {
    const response = await fetch(random.pick(urls), {
      headers: { 'x-road-client': client },
      signal: AbortSignal.timeout(CALL_MS),
    })
    await response.arrayBuffer()
    const id = response.headers.get('x-road-request-id')
    if (response.status !== 200 || id === null) return false
    answered.push(id)
    return true
  }
  const work = async (): Promise<void> => {
    while (on) {
      underWay += 1
      const isAnswered = await call().catch(() => false)
      underWay -= 1
      if (!isAnswered) failed += 1
      await delay(isAnswered ? random.below(PAUSE_MS) : AFTER_FAILURE_MS)
    }
  }
  const workers = Array.from({ length: WORKERS }, work)
  return {
    answered,
    get failed() {
      return failed
    },
    get underWay() {
      return underWay
    },
    stop: async () => {
      on = false
      await Promise.all(workers)
    },
  }
}
