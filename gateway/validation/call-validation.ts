import type { HeaderBlock } from '../../protocol/header-block.ts'
import { checkRequestLine } from '../../openapi/check-message.ts'
import { describeVerdict, verdictOf } from '../../openapi/finding.ts'
import type { Served } from '../exchange-state.ts'
import type { Descriptions } from './descriptions.ts'
import { locate, refusal, ruleFor } from './validation.ts'

/** A call of which nobody has headers or body. */
export type UnsentCall = Pick<Served, 'catalogue' | 'target'> & {
  readonly method: string
  /** Undefined: not known. */
  readonly bodySize: number | undefined
  readonly contentType: string | undefined
}

/** Compares a call that is not made with the description of its service, as far as one can (protocol/README.md §14). */
export interface CallValidation {
  /**
   * @returns whether the description is looked at, and what is found and only reported.
   * @throws ExchangeError as {@link Validation.request}.
   */
  verifyCall(call: UnsentCall): Promise<{ readonly mode: string; readonly findings?: string }>
}

export function createCallValidation(descriptions: Descriptions): CallValidation {
  return {
    verifyCall: async (call) => {
      const { target, method, bodySize, contentType } = call
      const rule = await ruleFor(call, descriptions)
      if (rule === undefined) return { mode: 'off' }
      const mode = rule.enforce ? 'enforce' : 'report'
      const found = locate(rule.description, method, target.servicePath, rule.enforce)
      const headers: HeaderBlock = contentType === undefined ? [] : [['content-type', contentType]]
      const message = { query: target.query, headers }
      const located = 'operation' in found ? found : undefined
      const findings =
        'operation' in found
          ? checkRequestLine(rule.description, found, message, bodySize)
          : [found]
      const verdict = verdictOf(findings)
      if (verdict.total === 0) return { mode }
      if (rule.enforce) throw refusal(verdict, located)
      return { mode, findings: describeVerdict(verdict) }
    },
  }
}
