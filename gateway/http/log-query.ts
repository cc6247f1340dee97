/** The filters of a search in the exchange log: the one table that they are read by, and described from. */
import { ExchangeError } from '../../protocol/errors.ts'
import type { LogQuery } from '../../exchange-log/store.ts'

/** A parameter of a query. Its schema (JSON Schema 2020-12) is what `parseParameters` accepts. */
export interface Parameter {
  readonly description: string
  readonly schema:
    | { readonly type: 'string'; readonly format: 'date-time' }
    | { readonly type: 'string'; readonly minLength: 1; readonly maxLength: number }
    | { readonly type: 'string'; readonly enum: readonly string[] }
    | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  readonly required?: true
}
export type Parameters = Readonly<Record<string, Parameter>>
export type Values = Readonly<Record<string, string | number | Date>>

const time = { type: 'string', format: 'date-time' } as const
const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength }) as const
export const whole = (maximum: number) => ({ type: 'integer', minimum: 1, maximum }) as const

export const FILTERS = {
  from: { schema: time, description: 'Begun at or after this time.' },
  to: { schema: time, description: 'Begun before this time.' },
  client: {
    schema: text(600),
    description: 'INSTANCE/CLASS/MEMBER/SUBSYSTEM; with * at its end whatever begins so.',
  },
  service: {
    schema: text(700),
    description: 'INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE; with * at its end whatever begins so.',
  },
  userId: { schema: text(1000), description: 'The user, as X-Road-UserId named it.' },
  issue: { schema: text(1000), description: 'The case, as X-Road-Issue named it.' },
  purpose: { schema: text(1000), description: 'The purpose that was stated.' },
  outcome: {
    schema: { type: 'string', enum: ['ok', 'error', 'refused', 'unanswered'] },
    description:
      'ok: answered below 400; error: answered with 400 or more; refused by a gateway; unanswered.',
  },
  code: { schema: text(100), description: 'Error code of a refusal.' },
  id: { schema: text(200), description: "Exchange id, or the client's own message id." },
} as const satisfies Parameters

export const PAGE = {
  before: {
    schema: whole(Number.MAX_SAFE_INTEGER),
    description: 'Where the page before ended: its `next`.',
  },
  limit: { schema: whole(1000), description: 'At most so many; 50 when it is left out.' },
} as const satisfies Parameters

/**
 * Reads a query string by a table.
 *
 * @throws ExchangeError `admin.invalid` for a parameter that is not in it, stands twice, is missing or has
 *   another form.
 */
export function parseParameters(query: URLSearchParams, parameters: Parameters): Values {
  const values: Record<string, string | number | Date> = {}
  for (const [name, value] of query) {
    const known = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (!known) {
      const names = Object.keys(parameters).join(', ') || 'none'
      throw invalid(
        `there is no parameter ${JSON.stringify(name.slice(0, 50))}; there are ${names}`,
      )
    }
    if (Object.hasOwn(values, name)) throw invalid(`${name} is given twice`)
    values[name] = readValue(name, value, known.schema)
  }
  for (const [name, { required }] of Object.entries(parameters)) {
    if (required && !Object.hasOwn(values, name)) throw invalid(`${name} is missing`)
  }
  return values
}

function readValue(
  name: string,
  value: string,
  schema: Parameter['schema'],
): string | number | Date {
  if (schema.type === 'integer') {
    const { minimum, maximum } = schema
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
    if (number >= minimum && number <= maximum) return number
    throw invalid(`${name} is a whole number from ${minimum} to ${maximum}`)
  }
  if ('format' in schema) return readInstant(name, value)
  if ('enum' in schema) {
    if (schema.enum.includes(value)) return value
    throw invalid(`${name} is one of ${schema.enum.join(', ')}`)
  }
  // No identifier or header that is recorded has any, and databases differ about them.
  if (/\p{Cc}/u.test(value)) throw invalid(`${name} has control characters`)
  if (value.length >= schema.minLength && value.length <= schema.maxLength) return value
  throw invalid(`${name} has 1 to ${schema.maxLength} characters`)
}

const RFC3339 = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i

/** RFC 3339. @throws ExchangeError `admin.invalid` */
export function readInstant(name: string, value: string): Date {
  const day = RFC3339.exec(value)?.[1]
  const at = new Date(value)
  // Date takes the 31st of February for the 3rd of March.
  const isDay = day !== undefined && new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day)
  if (isDay && !Number.isNaN(at.getTime())) return at
  throw invalid(`${name} is not a time; write 2026-01-31T08:00:00Z, with + as %2B`)
}

/** The query that values of {@link FILTERS} and {@link PAGE} stand for. */
export function toLogQuery(values: Values): LogQuery {
  const names = new Set([...Object.keys(FILTERS), ...Object.keys(PAGE)])
  const known = Object.entries(values).filter(([name]) => names.has(name))
  return { limit: 50, ...(Object.fromEntries(known) as Partial<LogQuery>) }
}

function invalid(detail: string): ExchangeError {
  return new ExchangeError('admin.invalid', detail)
}
