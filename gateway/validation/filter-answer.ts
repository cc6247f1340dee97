import { createHash } from 'node:crypto'
import { Readable as Stream } from 'node:stream'
import { isJsonType } from '../../openapi/media-type.ts'
import { mediaTypeOf } from '../../openapi/check-message.ts'
import { createFieldFilter, type FieldFilter } from '../../openapi/field-filter.ts'
import { tellablePointer, type Finding } from '../../openapi/finding.ts'
import type { Contract } from '../../protocol/contract.ts'
import { covers } from '../../protocol/endpoint.ts'
import type { SpooledBody } from '../../runtime/spool.ts'
import type { Answer, Answered } from '../exchange-state.ts'
import { readable } from './readable-body.ts'

/** They speak of bytes that are no longer those of the service. */
const OF_BYTES = ['content-encoding', 'content-md5', 'digest', 'content-digest', 'repr-digest']
/** What a refusal may say of itself (RFC 9457 §3.1), whatever the contract has. */
const PROBLEM_FIELDS = ['/type', '/title', '/status', '/detail', '/instance']

export interface FilteredAnswer {
  readonly answer: Answer
  /** What was taken out. */
  readonly removed: readonly Finding[]
  /** What cannot be handed on: nobody can tell what the contract allows of it. */
  readonly barred: readonly Finding[]
}

/** Takes out of an answer what the contract does not allow (protocol/README.md §13.3). */
export async function filterAnswer(
  answered: Answered,
  contract: Contract,
): Promise<FilteredAnswer> {
  const { answer } = answered
  const { body, headers } = answer
  const passes: FilteredAnswer = { answer, removed: [], barred: [] }
  const fields = fieldsOf(answered, contract)
  if (fields === undefined || body.size === 0) return passes
  const media = mediaTypeOf(headers)
  if (media === undefined || !isJsonType(media.type)) return bar(answer, '', 'content-type')
  const bytes = await readable(body, headers)
  if ('unread' in bytes) return bar(answer, '', bytes.unread)
  const isProblem = answer.status >= 400 && media.type === 'application/problem+json'
  const filtered = filterFor(isProblem ? [...fields, ...PROBLEM_FIELDS] : fields).apply(bytes.bytes)
  if ('fault' in filtered) return bar(answer, tellablePointer(filtered.pointer), filtered.fault)
  if (filtered.removed.length === 0) return passes
  const kept = headers.filter(([name]) => !OF_BYTES.includes(name))
  const shorter = { ...answer, headers: kept, body: bodyOf(filtered.bytes) }
  return { answer: shorter, removed: filtered.removed, barred: [] }
}

/** The fields of all endpoints that cover the call; undefined: all fields. */
function fieldsOf({ request, target }: Answered, { endpoints }: Contract): string[] | undefined {
  const covering = endpoints.filter((one) => covers([one], request.method, target.servicePath))
  if (covering.some(({ fields }) => fields === undefined)) return undefined
  return covering.flatMap(({ fields }) => fields ?? [])
}

/** Contracts have few lists of fields, and use them often. */
const filters = new Map<string, FieldFilter>()
const MAX_FILTERS = 1000

function filterFor(fields: readonly string[]): FieldFilter {
  const key = JSON.stringify(fields)
  const known = filters.get(key)
  if (known) return known
  if (filters.size >= MAX_FILTERS) filters.clear()
  const made = createFieldFilter(fields)
  filters.set(key, made)
  return made
}

const bar = (answer: Answer, place: string, keyword: string): FilteredAnswer => ({
  answer,
  removed: [],
  barred: [{ in: 'body', place, keyword }],
})

function bodyOf(view: Uint8Array): SpooledBody {
  const bytes = Buffer.from(view)
  return {
    size: bytes.length,
    digest: createHash('sha256').update(bytes).digest('base64url'),
    bytes,
    open: () => Stream.from([bytes]),
    [Symbol.asyncDispose]: async () => {},
  }
}
