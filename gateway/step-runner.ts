import { ExchangeError, withBasis } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { StepRunner } from './ports.ts'

/** Makes the runner of one exchange's steps; a refusal carries the step's name. */
export function createStepRunner(
  incoming: { readonly exchangeId: string },
  logger: Logger,
): StepRunner {
  let known: object = incoming
  const run = async <T>(name: string, step: () => Promise<T> | T): Promise<T> => {
    const begun = performance.now()
    try {
      const result = await step()
      if (typeof result === 'object' && result !== null) known = result
      return result
    } catch (error) {
      const line = { id: incoming.exchangeId, step: name, ms: performance.now() - begun }
      // What is no refusal of ours is a bug, and the only trace of it is here.
      if (error instanceof ExchangeError) noteDecision(error, name, known)
      else logger.error({ ...line, err: error }, 'step failed')
      throw error
    }
  }
  return Object.defineProperty(run, 'known', { get: () => known }) as unknown as StepRunner
}

/** A refusal of another party, which is passed on, says by itself where and by what it was decided. */
function noteDecision(error: ExchangeError, name: string, known: object): void {
  error.step ??= name
  const { catalogue } = known as { catalogue?: { readonly number: number } }
  if (catalogue !== undefined) withBasis(error, { snapshot: catalogue.number })
}
