import type { ApiRequest, Route } from '../runtime/admin-api.ts'
import {
  anyObject,
  json,
  listOf,
  named,
  object,
  oneOf,
  putAnswers,
  text,
  whole,
} from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import { dcatCatalogue } from './dcat.ts'
import { invalid } from './input.ts'
import { ENTRY_PROPERTIES, LANGUAGES, parseEntry, readEntry } from './service-entry.ts'
import { recordServiceEvent } from './service-events.ts'
import { classifiedFields } from './service-fields.ts'
import { storeEntry } from './service-index.ts'
import { searchServices, type SearchQuery } from './service-search.ts'
import { existingService, readServiceId, SERVICE_PATH } from './services.ts'

const MAX_FOUND = 100
const MAX_OFFSET = 100_000
const FILTERS = ['q', 'member', 'class', 'purpose', 'field'] as const

const filter = (description: string) => ({
  schema: { type: 'string', maxLength: 300 },
  description,
})
const SEARCH = {
  q: filter('Words, all of which have to be found.'),
  member: filter('INSTANCE/CLASS/MEMBER.'),
  class: filter('Classification of the data.'),
  purpose: filter('For which it may be asked.'),
  field: filter('Name of a property in the description.'),
  language: { schema: oneOf(...LANGUAGES), description: 'Only texts in it.' },
  limit: { schema: { ...whole, maximum: MAX_FOUND }, description: '20 when it is left out.' },
  offset: { schema: { ...whole, maximum: MAX_OFFSET } },
}

const ENTRY = named('ServiceEntry', parseEntry.schema)
const SHOWN_ENTRY = named('ShownServiceEntry', {
  ...parseEntry.schema,
  required: ['classifiedFields'],
  properties: {
    ...ENTRY_PROPERTIES,
    classifiedFields: listOf(object({ pointer: text, classification: text })),
  },
})
const FOUND = named(
  'FoundService',
  object(
    { id: text, title: text, version: text, state: text, entry: ENTRY },
    { classification: text },
  ),
)

/** What people and other catalogues read of services. */
export function createServiceContentRoutes(context: CatalogueContext): Route[] {
  const { db, instance, clock, changes } = context
  return [
    {
      method: 'GET',
      path: `${SERVICE_PATH}/entry`,
      access: 'reader',
      about: {
        summary: 'What people read of a service',
        answers: { 200: json(SHOWN_ENTRY) },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        const { id } = existingService(db, readServiceId(instance, request))
        return { body: { ...readEntry(db, id), classifiedFields: classifiedFields(db, id) } }
      },
    },
    {
      method: 'PUT',
      path: `${SERVICE_PATH}/entry`,
      access: 'service-owner',
      about: {
        summary: 'Write what people read of a service',
        body: parseEntry,
        answers: putAnswers(ENTRY),
        refusals: ['admin.approval-needed', 'admin.not-found'],
      },
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
          .then((reply) => ({ ...reply, body: readEntry(db, id) }))
      },
    },
    {
      method: 'GET',
      path: '/search',
      access: 'public',
      about: {
        summary: 'Search services',
        query: SEARCH,
        answers: { 200: json(object({ services: listOf(FOUND) })) },
      },
      handle: (request) => ({ body: { services: searchServices(db, readQuery(request)) } }),
    },
    {
      method: 'GET',
      path: '/dcat',
      access: 'public',
      about: {
        summary: 'The catalogue as DCAT-AP',
        answers: { 200: { content: { 'application/ld+json': anyObject('JSON-LD.') } } },
      },
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
  const offset = readNumber(query, 'offset', 0, MAX_OFFSET)
  return { ...found, ...(known ? { language: known } : {}), limit, offset }
}

function readNumber(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (/^\d{1,6}$/.test(text) && Number(text) <= most) return Number(text)
  throw invalid(name, `write a whole number up to ${most}`)
}
