import { ExchangeError } from '../protocol/errors.ts'
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
      if (error instanceof ExchangeError) error.step ??= name
      else logger.error({ ...line, err: error }, 'step failed')
      throw error
    }
  }
  return Object.defineProperty(run, 'known', { get: () => known }) as unknown as StepRunner
}
