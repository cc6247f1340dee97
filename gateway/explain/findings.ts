import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import { refusedCheck, type ExplainedCheck } from '../../protocol/explanation.ts'
import type { Basis } from '../../protocol/refusal.ts'
import type { Check } from '../checks/check.ts'

/** What a check that passes has to say. */
interface Passed {
  readonly detail?: string
  readonly basis?: Basis
}
type Verify<T> = () => T | Promise<T>

/** Gathers what the checks of a call say, one after the other, refusals too. */
export interface Findings {
  readonly checks: readonly ExplainedCheck[]
  /**
   * Runs a check of a step. @returns what it returns; undefined when it refused.
   * @param told what is said when it passes.
   */
  judge<T>(
    step: string,
    name: string,
    verify: Verify<T>,
    told?: (value: T) => Passed,
  ): Promise<T | undefined>
  /** Runs a table of checks; what needs one that did not pass is not judged. */
  judgeAll<S>(step: string, checks: readonly Check<S>[], state: S): Promise<void>
  skip(step: string, name: string, why: string): void
  /** What is judged from here on is judged by it. */
  decideBy(basis: Basis): void
  /** Whether a check was run, and passed. */
  passed(name: string): boolean
}

export function createFindings(side: ExplainedCheck['side']): Findings {
  const checks: ExplainedCheck[] = []
  let basis: Basis = {}
  const passed = (name: string): boolean =>
    checks.some(({ check, outcome }) => check === name && outcome === 'passes')
  const skip: Findings['skip'] = (step, check, why) => {
    checks.push({ side, step, check, outcome: 'not-judged', detail: why })
  }
  const judge: Findings['judge'] = async (step, check, verify, told) => {
    const where = { side, step, check }
    try {
      const value = await verify()
      checks.push({ ...where, outcome: 'passes', ...told?.(value) })
      return value
    } catch (error) {
      // What is no refusal is a fault of ours, and fails the whole question.
      if (!(error instanceof ExchangeError)) throw error
      withBasis(error, basis)
      checks.push(refusedCheck(where, error))
      return undefined
    }
  }
  return {
    checks,
    judge,
    judgeAll: async (step, table, state) => {
      for (const { name, needs = [], verify } of table) {
        const lacking = needs.find((need) => !passed(need))
        if (lacking === undefined) await judge(step, name, () => verify(state))
        else skip(step, name, `it needs: ${lacking}`)
      }
    },
    skip,
    decideBy: (by) => void (basis = by),
    passed,
  }
}
