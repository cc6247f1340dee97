import type { ApiRequest, Route } from '../runtime/admin-api.ts'
import type { CatalogueContext } from './context.ts'
import { dcatCatalogue } from './dcat.ts'
import { invalid } from './input.ts'
import { LANGUAGES, parseEntry, readEntry } from './service-entry.ts'
import { recordServiceEvent } from './service-events.ts'
import { classifiedFields } from './service-fields.ts'
import { storeEntry } from './service-index.ts'
import { searchServices, type SearchQuery } from './service-search.ts'
import { existingService, readServiceId, SERVICE_PATH } from './services.ts'

const MAX_FOUND = 100
const FILTERS = ['q', 'member', 'class', 'purpose', 'field'] as const

/** What people and other catalogues read of services. */
export function createServiceContentRoutes(context: CatalogueContext): Route[] {
  const { db, instance, clock, changes } = context
  return [
    {
      method: 'GET',
      path: `${SERVICE_PATH}/entry`,
      access: 'reader',
      handle: (request) => {
        const { id } = existingService(db, readServiceId(instance, request))
        return { body: { ...readEntry(db, id), classifiedFields: classifiedFields(db, id) } }
      },
    },
    {
      method: 'PUT',
      path: `${SERVICE_PATH}/entry`,
      access: 'service-owner',
      handle: (request) => {
        const id = readServiceId(instance, request)
        const entry = parseEntry(request.body)
        return changes
          .put({
            action: 'put-service-entry',
            subject: `service ${id}`,
            // Numbers with fractions have no canonical form
            read: () => ({ entry: JSON.stringify(readEntry(db, id)) }),
            apply: () => {
              const { version, state } = existingService(db, id)
              if (JSON.stringify(readEntry(db, id)) === JSON.stringify(entry)) return
              storeEntry(db, id, entry)
              if (state === 'draft') return
              const event = { type: 'service.described', service: id, version, data: {} } as const
              recordServiceEvent(db, event, clock())
            },
          })
          .then(({ status }) => ({ status: status ?? 200, body: readEntry(db, id) }))
      },
    },
    {
      method: 'GET',
      path: '/search',
      access: 'public',
      handle: (request) => ({ body: { services: searchServices(db, readQuery(request)) } }),
    },
    {
      method: 'GET',
      path: '/dcat',
      access: 'public',
      handle: () => ({
        headers: { 'content-type': 'application/ld+json' },
        body: JSON.stringify(
          dcatCatalogue(db, {
            instance,
            url: context.publicUrl(),
            operator: `Operator of ${instance}`,
          }),
        ),
      }),
    },
  ]
}

function readQuery({ query }: ApiRequest): SearchQuery {
  const found: Partial<Record<(typeof FILTERS)[number], string>> = {}
  for (const name of FILTERS) {
    const value = query.get(name)?.normalize('NFC')
    if (value === undefined || value === '') continue
    if (value.length > 300) throw invalid(name, 'write at most 300 characters')
    found[name] = value
  }
  const language = query.get('language') ?? undefined
  const known = LANGUAGES.find((one) => one === language)
  if (language !== undefined && known === undefined) {
    throw invalid('language', `write one of ${LANGUAGES.join(', ')}`)
  }
  const limit = readNumber(query, 'limit', 20, MAX_FOUND)
  const offset = readNumber(query, 'offset', 0, 100_000)
  return { ...found, ...(known ? { language: known } : {}), limit, offset }
}

function readNumber(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text)
  throw invalid(name, `write a whole number up to ${most}`)
}
