import type { Logger } from '../runtime/logger.ts'

/**
 * Runs the checks again and again, never two rounds at once. One that fails is tried in the next round, and logged
 * once for each cause; disposing waits for the round in progress.
 */
export function startUpkeep(
  checks: readonly (() => Promise<void> | void)[],
  intervalMs: number,
  logger: Logger,
): AsyncDisposable {
  let round: Promise<void> | undefined
  const told = new Map<(typeof checks)[number], string>()
  const run = async (): Promise<void> => {
    for (const check of checks) {
      try {
        await check()
        if (told.delete(check)) logger.info('upkeep works again')
      } catch (err) {
        const words = String(err)
        if (told.get(check) !== words) logger.error({ err }, 'upkeep failed; tried again soon')
        told.set(check, words)
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
