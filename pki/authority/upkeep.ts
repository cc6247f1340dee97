import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Authority } from './authority.ts'
import { warningStep } from './revocation-lists.ts'

/** Does by itself what is due while the authority runs, and says in the log what only a person can do. */
export function startUpkeep(
  deps: {
    readonly authority: Authority
    readonly renewTls: () => Promise<void>
    readonly clock: Clock
    readonly logger: Logger
  },
  intervalMs: number,
): AsyncDisposable {
  const { authority, renewTls, logger } = deps
  const warn = createWarner(deps)
  const check = async (): Promise<void> => {
    try {
      await renewTls()
    } catch (error) {
      logger.error({ err: error }, 'certificate of the HTTPS ports cannot be renewed')
    }
    await authority.revocationLists.refresh()
    warn()
  }
  warn()
  let running = Promise.resolve()
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy) return
    isBusy = true
    running = check()
      .catch((error: unknown) => logger.error({ err: error }, 'upkeep failed'))
      .finally(() => {
        isBusy = false
      })
  }, intervalMs)
  timer.unref()
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await running
    },
  }
}

/** Each warning once, and that of the root's revocation list once more at 30, 14, 7 and 1 days. */
function createWarner(deps: {
  readonly authority: Authority
  readonly clock: Clock
  readonly logger: Logger
}): () => void {
  const { authority, clock, logger } = deps
  let said = new Set<string>()
  return () => {
    const root = authority.revocationLists.newest().find(({ issuer }) => issuer === 'root')
    const step = root && warningStep(root.nextUpdate.getTime() - clock().getTime())
    const current = new Map(
      // Days count down in the sentence: what tells two warnings apart is the rest, and the step.
      authority.warnings().map((text) => [`${step} ${text.replace(/\d+ days/, '')}`, text]),
    )
    for (const [key, text] of current) if (!said.has(key)) logger.warn(text)
    said = new Set(current.keys())
  }
}
