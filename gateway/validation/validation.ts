import { ExchangeError } from '../../protocol/errors.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import {
  checkAnswer,
  checkRequest,
  findOperation,
  type Located,
} from '../../openapi/check-message.ts'
import type { Description } from '../../openapi/description.ts'
import { describeVerdict, verdictOf, type Finding, type Verdict } from '../../openapi/finding.ts'
import type { Answered, Served } from '../exchange-state.ts'
import type { Validation } from '../ports.ts'
import type { Descriptions } from './descriptions.ts'
import { filterAnswer } from './filter-answer.ts'
import { readable } from './readable-body.ts'

/** Counts messages that had findings. */
export type CountFindings = (labels: {
  readonly service: string
  readonly message: 'request' | 'answer'
  readonly outcome: 'refused' | 'reported' | 'removed'
}) => void

interface Deps {
  readonly descriptions: Descriptions
  readonly count: CountFindings
}
/** What a message is compared with; undefined: nothing. */
export interface Rule {
  readonly service: string
  readonly enforce: boolean
  readonly description: Description
}

/** Compares messages with descriptions and contracts (protocol/README.md §13.3, §14). */
export function createValidation({ descriptions, count }: Deps): Validation {
  return {
    request: async (served) => {
      const rule = await ruleFor(served, descriptions)
      if (rule === undefined) return undefined
      const { located, findings } = await judgeRequest(served, rule)
      const verdict = verdictOf(findings)
      if (verdict.total === 0) return undefined
      const { service, enforce } = rule
      count({ service, message: 'request', outcome: enforce ? 'refused' : 'reported' })
      if (enforce) throw refusal(verdict, located)
      return describeVerdict(verdict)
    },
    answer: async (answered) => {
      const rule = await ruleFor(answered, descriptions)
      const service = formatId(answered.target.service)
      const described = rule ? await judgeAnswer(answered, rule) : []
      const found = verdictOf(described)
      const refuse = (verdict: Verdict): never => {
        count({ service, message: 'answer', outcome: 'refused' })
        throw new ExchangeError('validation.answer-invalid', describeVerdict(verdict))
      }
      if (rule?.enforce === true && found.total > 0) refuse(found)
      const { contract } = answered
      if (contract === undefined) {
        if (found.total > 0) count({ service, message: 'answer', outcome: 'reported' })
        return { answer: answered.answer, findings: told(found) }
      }
      const { answer, removed, barred } = await filterAnswer(answered, contract)
      const beyond = verdictOf([...barred, ...removed])
      const isBarred = barred.length > 0 || contract.otherFields === 'refuse'
      if (beyond.total > 0 && isBarred) refuse(beyond)
      if (beyond.total > 0) count({ service, message: 'answer', outcome: 'removed' })
      else if (found.total > 0) count({ service, message: 'answer', outcome: 'reported' })
      return { answer, findings: told(verdictOf([...described, ...barred, ...removed])) }
    },
  }
}

const told = (verdict: Verdict): string | undefined =>
  verdict.total === 0 ? undefined : describeVerdict(verdict)

/** What the snapshot says a message of a service is compared with. */
export async function ruleFor(
  { catalogue, target }: Pick<Served, 'catalogue' | 'target'>,
  descriptions: Descriptions,
): Promise<Rule | undefined> {
  const { validation = 'off', descriptionDigest } = catalogue.service(target.service) ?? {}
  if (validation === 'off' || isMetadataService(target.service.service)) return undefined
  const service = formatId(target.service)
  const enforce = validation === 'enforce'
  if (descriptionDigest === undefined) {
    if (!enforce) return undefined
    const detail = `${service} is to be compared with a description, and has none`
    throw new ExchangeError('service.description-missing', detail)
  }
  try {
    return { service, enforce, description: await descriptions.get(descriptionDigest) }
  } catch (error) {
    // What is only reported stops no call; the log of the program says why nothing is.
    if (!(error instanceof ExchangeError)) throw error
    if (!enforce) return undefined
    // The one that is kept with the description is not this exchange's own: a refusal has an id, a step, a basis.
    throw new ExchangeError(error.code, error.message, { cause: error })
  }
}

/** @throws ExchangeError under `enforce` `access.path-ambiguous`, `request.path-invalid`. */
async function judgeRequest(
  { request, target, headers, body }: Served,
  { description, enforce }: Rule,
): Promise<{ readonly located: Located | undefined; readonly findings: Finding[] }> {
  const found = locate(description, request.method, target.servicePath, enforce)
  if (!('operation' in found)) return { located: undefined, findings: [found] }
  const message = { query: target.query, headers }
  const read = { size: body.size, read: () => readable(body, headers) }
  return { located: found, findings: await checkRequest(description, found, message, read) }
}

async function judgeAnswer(
  { request, target, answer }: Answered,
  { description }: Rule,
): Promise<Finding[]> {
  const found = locate(description, request.method, target.servicePath, false)
  if (!('operation' in found)) return [] // the request was reported already
  const { status, headers, body } = answer
  const message = { status, headers, isHead: request.method === 'HEAD' }
  const read = { size: body.size, read: () => readable(body, headers) }
  return checkAnswer(description, found.operation, message, read)
}

export function locate(
  description: Description,
  method: string,
  path: string,
  enforce: boolean,
): Located | Finding {
  try {
    const found = findOperation(description, method, path)
    return found ?? { in: 'path', place: '', keyword: 'operation' }
  } catch (error) {
    if (enforce || !(error instanceof ExchangeError)) throw error
    return { in: 'path', place: '', keyword: 'ambiguous' }
  }
}

export function refusal(verdict: Verdict, located: Located | undefined): ExchangeError {
  const words = describeVerdict(verdict)
  if (located === undefined) return new ExchangeError('validation.operation-unknown', words)
  const [media] = verdict.findings.filter(({ place }) => place === 'content-type')
  if (media === undefined) return new ExchangeError('validation.request-invalid', words)
  const taken = [...(located.operation.body?.content.keys() ?? [])].join(', ')
  return new ExchangeError('validation.content-type', `${words}; it takes ${taken} in UTF-8`)
}
