/** Whether one contract allows no more than another (protocol/README.md §13.2). */
import type { Contract, ContractEndpoint } from './contract.ts'

/** Whether a client's gateway may sign `offer` by itself, because its member asked for `request`. */
export function isNoWider(offer: Contract, request: Contract): boolean {
  return widerClauses(offer, request).length === 0
}

/** The clauses in which `offer` allows more than `request` asked for, by the names of §13.1. */
export function widerClauses(offer: Contract, request: Contract): string[] {
  const wider: Partial<Record<keyof Contract, boolean>> = {
    client: offer.client !== request.client,
    service: offer.service !== request.service,
    endpoints: !offer.endpoints.every((own) =>
      request.endpoints.some((asked) => isEndpointWithin(own, asked)),
    ),
    purposes: !arePurposesWithin(offer.purposes, request.purposes),
    validFrom: offer.validFrom < request.validFrom,
    validUntil: offer.validUntil > request.validUntil,
    quota:
      !isAtMost(offer.quota?.perSecond, request.quota?.perSecond) ||
      !isAtMost(offer.quota?.perDay, request.quota?.perDay),
    maxBodyBytes: !isAtMost(offer.maxBodyBytes, request.maxBodyBytes),
    otherFields: request.otherFields === 'refuse' && offer.otherFields === 'strip',
    user: USER_LEVEL[offer.user ?? 'none'] < USER_LEVEL[request.user ?? 'none'],
    case: request.case === true && offer.case !== true,
  }
  return Object.keys(wider).filter((clause) => wider[clause as keyof Contract])
}

const USER_LEVEL = { none: 0, named: 1, token: 2 } as const

/** No limit is more than any. */
const isAtMost = (own: number | undefined, asked: number | undefined): boolean =>
  asked === undefined || (own !== undefined && own <= asked)

/** None named means any. */
function arePurposesWithin(own: readonly string[], asked: readonly string[]): boolean {
  if (asked.length === 0) return true
  return own.length > 0 && own.every((purpose) => asked.includes(purpose))
}

function isEndpointWithin(own: ContractEndpoint, asked: ContractEndpoint): boolean {
  return (
    (asked.method === '*' || asked.method === own.method) &&
    isPatternWithin(own.path, asked.path) &&
    areFieldsWithin(own.fields, asked.fields)
  )
}

function isPatternWithin(own: string, asked: string): boolean {
  const [ownParts, askedParts] = [partsOf(own), partsOf(asked)]
  if (askedParts.open) {
    if (ownParts.fixed.length < askedParts.fixed.length) return false
  } else if (ownParts.open || ownParts.fixed.length !== askedParts.fixed.length) return false
  return askedParts.fixed.every((part, i) => isSegmentWithin(ownParts.fixed[i]!, part))
}

/** `*` stands for a segment that is not empty (protocol/README.md §3.5). */
const isSegmentWithin = (own: string, asked: string): boolean =>
  asked === '*' ? own !== '' : own === asked

function partsOf(pattern: string): { fixed: string[]; open: boolean } {
  const parts = pattern === '/' || pattern === '' ? [] : pattern.slice(1).split('/')
  return parts.at(-1) === '**'
    ? { fixed: parts.slice(0, -1), open: true }
    : { fixed: parts, open: false }
}

/** A field covers everything below it (protocol/README.md §13.3). */
function areFieldsWithin(
  own: readonly string[] | undefined,
  asked: readonly string[] | undefined,
): boolean {
  if (asked === undefined) return true
  return own !== undefined && own.every((field) => asked.some((other) => isBelow(field, other)))
}

function isBelow(field: string, other: string): boolean {
  const [tokens, covering] = [field.split('/'), other.split('/')]
  return (
    covering.length <= tokens.length &&
    covering.every((token, i) => (token === '*' ? i > 0 : token === tokens[i]))
  )
}
