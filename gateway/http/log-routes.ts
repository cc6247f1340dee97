import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiRequest, Route } from '../../runtime/admin-api.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import type { ExchangeLogStore, LogQuery, Outcome } from '../../exchange-log/store.ts'

const OUTCOMES: readonly Outcome[] = ['ok', 'error', 'refused', 'unanswered']
const PARAMETERS = [
  'from',
  'to',
  'client',
  'service',
  'outcome',
  'code',
  'id',
  'before',
  'limit',
] as const

/** Reading a gateway's exchange log. */
export function createLogRoutes(store: ExchangeLogStore): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/log',
      access: 'admin',
      handle: async (request) => {
        const query = parseQuery(request)
        const exchanges = await store.list(query)
        const last = exchanges.at(-1)
        const next = exchanges.length === query.limit && last ? { next: last.position } : {}
        return { body: { exchanges, ...next } }
      },
    },
    {
      method: 'GET',
      path: '/admin/log/:exchangeId',
      access: 'admin',
      handle: async ({ params }) => {
        const entries = await store.entries(params.exchangeId ?? '')
        if (entries.length > 0) return { body: { entries: entries.map(toView) } }
        throw new ExchangeError('admin.not-found', `the log has no exchange ${params.exchangeId}`)
      },
    },
  ]
}

/** Bytes as they stand in a checkpoint: Base64. */
function toView({ salt, commitment, ...record }: StoredRecord): object {
  return { ...record, salt: salt.toString('base64'), commitment: commitment.toString('base64') }
}

function parseQuery({ query }: ApiRequest): LogQuery {
  const given = new Map<string, string>()
  for (const [name, value] of query) {
    if (!PARAMETERS.some((known) => known === name)) {
      throw new ExchangeError(
        'admin.invalid',
        `there is no filter ${name}; there are ${PARAMETERS.join(', ')}`,
      )
    }
    given.set(name, value)
  }
  const text = (name: string): object => (given.has(name) ? { [name]: given.get(name) } : {})
  const outcome = given.get('outcome')
  if (outcome !== undefined && !OUTCOMES.some((known) => known === outcome)) {
    throw new ExchangeError('admin.invalid', `outcome is one of ${OUTCOMES.join(', ')}`)
  }
  return {
    ...text('client'),
    ...text('service'),
    ...text('outcome'),
    ...text('code'),
    ...text('id'),
    ...instant('from', given),
    ...instant('to', given),
    ...(given.has('before')
      ? { before: integer('before', given, 1, Number.MAX_SAFE_INTEGER) }
      : {}),
    limit: given.has('limit') ? integer('limit', given, 1, 1000) : 50,
  }
}

function instant(name: string, given: Map<string, string>): object {
  const value = given.get(name)
  if (value === undefined) return {}
  const at = new Date(value)
  if (Number.isNaN(at.getTime())) {
    throw new ExchangeError('admin.invalid', `${name} is not a time; write 2026-01-31T08:00:00Z`)
  }
  return { [name]: at }
}

function integer(name: string, given: Map<string, string>, least: number, most: number): number {
  const value = Number(given.get(name))
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ExchangeError('admin.invalid', `${name} is a whole number from ${least} to ${most}`)
  }
  return value
}
