import { ExchangeError } from '../protocol/errors.ts'
import { checkPart, readClientId, formatId } from '../protocol/identifiers.ts'
import type { ApiRequest } from '../runtime/admin-api.ts'
import { type RouteDescription } from '../runtime/route-description.ts'

/** `after` of the query: where the page before ended. @throws ExchangeError `admin.invalid`. */
export function readCursor({ query }: Pick<ApiRequest, 'query'>): number {
  const text = query.get('after') ?? '0'
  const after = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(after)) return after
  throw invalid('after', 'send the next of the answer before, a whole number')
}

export const CURSOR = {
  after: {
    schema: { type: 'integer', minimum: 0 },
    description: 'Where the page before ended: its `next`.',
  },
} as const satisfies RouteDescription['query']

type Params = Readonly<Record<string, string>>

/** Texts that people see: of any script, without control characters, not blank. */
export const displayText = {
  type: 'string',
  minLength: 1,
  maxLength: 300,
  pattern: '^[\\p{Z}\\ufeff]*[^\\s\\p{Cc}\\p{Cs}][^\\p{Cc}\\p{Cs}]*$',
} as const

/** Certificates of an authority, one PEM text for each. */
export const pemList = {
  type: 'array',
  minItems: 1,
  maxItems: 10,
  items: { type: 'string', minLength: 1, maxLength: 65_536 },
} as const

/** @throws ExchangeError `admin.invalid` naming the field. */
export function invalid(field: string, detail: string, cause?: unknown): ExchangeError {
  return new ExchangeError('admin.invalid', `${field}: ${detail}`, { cause })
}

/**
 * One part of an identifier from the path.
 *
 * @throws ExchangeError `admin.invalid` naming the part.
 */
export function readPart(params: Params, name: string): string {
  return inField(name, () => checkPart(params[name] ?? ''))
}

/** The decoded identifier in the path: the instance, then these parts. */
export function readPathId(instance: string, params: Params, names: readonly string[]): string {
  return [instance, ...names.map((name) => readPart(params, name))].join('/')
}

/**
 * Member and subsystem identifiers, each once.
 *
 * @throws ExchangeError `admin.invalid` naming the first that is malformed.
 */
export function readClientIds(field: string, texts: readonly string[]): ReadClient[] {
  const clients = texts.map((text, i) =>
    inField(`${field}/${i}`, () => {
      const client = readClientId(text)
      return {
        id: formatId(client),
        isMember: client.subsystem === undefined,
        field: `${field}/${i}`,
      }
    }),
  )
  return [...new Map(clients.map((client) => [client.id, client])).values()]
}

export interface ReadClient {
  readonly id: string
  readonly isMember: boolean
  /** Where it stands in the body. */
  readonly field: string
}

function inField<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    throw invalid(field, error.message, error)
  }
}
