import type { Logger } from '../runtime/logger.ts'

/**
 * Runs the checks again and again, never two rounds at once. One that fails is logged and tried in
 * the next round; disposing waits for the round in progress.
 */
export function startUpkeep(
  checks: readonly (() => Promise<void> | void)[],
  intervalMs: number,
  logger: Logger,
): AsyncDisposable {
  let round: Promise<void> | undefined
  const run = async (): Promise<void> => {
    for (const check of checks) {
      try {
        await check()
      } catch (err) {
        logger.error({ err }, 'upkeep failed; tried again soon')
      }
    }
    round = undefined
  }
  const timer = setInterval(() => (round ??= run()), intervalMs)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await round
    },
  }
}
