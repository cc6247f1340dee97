import { ExchangeError } from '../../protocol/errors.ts'
import type { Route } from '../../runtime/admin-api.ts'
import { json, listOf, object, whole } from '../../runtime/route-description.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { EXCHANGE, RECORD } from './openapi-schemas.ts'
import { FILTERS, PAGE, parseParameters, toLogQuery } from './log-query.ts'

const PARAMETERS = { ...FILTERS, ...PAGE }

/** Reading a gateway's exchange log. */
export function createLogRoutes(store: ExchangeLogStore): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/log',
      access: 'admin',
      about: {
        summary: 'Search the exchange log',
        query: PARAMETERS,
        answers: { 200: json(object({ exchanges: listOf(EXCHANGE) }, { next: whole })) },
      },
      handle: async (request) => {
        const query = toLogQuery(parseParameters(request.query, PARAMETERS))
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
      about: {
        summary: 'All records of an exchange',
        answers: { 200: json(object({ entries: listOf(RECORD) })) },
        refusals: ['admin.not-found', 'evidence.altered', 'log.unavailable'],
      },
      handle: async ({ params }) => {
        const entries = await store.entries(params.exchangeId ?? '')
        if (entries.length > 0) return { body: { entries: entries.map(toRecordView) } }
        throw new ExchangeError('admin.not-found', `the log has no exchange ${params.exchangeId}`)
      },
    },
  ]
}

/** Bytes as they stand in a checkpoint: Base64. */
export function toRecordView({ salt, commitment, ...record }: StoredRecord): object {
  return { ...record, salt: salt.toString('base64'), commitment: commitment.toString('base64') }
}
