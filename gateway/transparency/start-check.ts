/** What a start finds out before its log goes on: whether the store is the one that witnesses have seen. */
import { isQuorum, type PolicyWitness, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { StoreGuard } from './store-guard.ts'

export interface StartCheck extends AsyncDisposable {
  /**
   * Whether nothing may be signed yet. A store that was restored from an old copy while its witnesses are away takes
   * exchanges, but what it signed of them could never be taken back.
   */
  readonly isHolding: () => boolean
  /** Resolves when every witness was heard, or the start has waited long enough: exchanges may begin. */
  readonly waited: Promise<void>
}

/** Longest wait of a start for witnesses; those that answer later are heard while it runs. */
const START_MS = 3000
/** Longest wait of a signature for them: a log without checkpoints has no time-stamps either. */
const HOLD_MS = 60_000
const RETRY_MS = 1000

/**
 * Asks witnesses until enough of them were heard: as many as the policy asks for, and one at least.
 *
 * @param others whom to ask; none: nobody is waited for.
 */
export function startCheck(deps: {
  readonly policy: TlogPolicy | undefined
  readonly others: readonly PolicyWitness[]
  readonly guard: Pick<StoreGuard, 'compareWith'>
  readonly logger: Logger
  readonly holdMs?: number
  readonly retryMs?: number
}): StartCheck {
  const { policy, others, guard, logger, holdMs = HOLD_MS, retryMs = RETRY_MS } = deps
  const heard = new Set<string>()
  const told = new Set<string>()
  const closing = new AbortController()
  const begun = performance.now()
  let isHolding = policy !== undefined && others.length > 0

  const ask = async (witness: PolicyWitness): Promise<void> => {
    try {
      await guard.compareWith(witness)
      heard.add(witness.name)
    } catch (error) {
      if (closing.signal.aborted || told.has(witness.name)) return
      told.add(witness.name)
      logger.warn({ witness: witness.name, err: error }, 'a witness cannot say what it has seen')
    }
    if (policy !== undefined && heard.size > 0 && isQuorum(heard, policy)) isHolding = false
  }
  const askAll = async (): Promise<void> => {
    await Promise.all(others.filter(({ name }) => !heard.has(name)).map(ask))
  }
  const isOver = (): boolean => closing.signal.aborted || performance.now() - begun >= holdMs
  const askUntilEnough = async (first: Promise<void>): Promise<void> => {
    await first
    if (isHolding) logger.warn({ holdMs }, 'no checkpoint is signed until witnesses were heard')
    while (isHolding && !isOver()) {
      await pause(retryMs, closing.signal)
      if (!isOver()) await askAll()
    }
    if (isHolding && !closing.signal.aborted) {
      logger.warn('checkpoints are signed without having heard enough witnesses')
    }
    isHolding = false
  }
  const first = askAll()
  const done = askUntilEnough(first)
  return {
    isHolding: () => isHolding,
    waited: Promise.race([first, pause(START_MS, closing.signal)]),
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await done
    },
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    resolve()
  })
  return promise
}
