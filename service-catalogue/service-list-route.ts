import type { Route } from '../runtime/admin-api.ts'
import { json, listOf, object, text } from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import { invalid } from './input.ts'
import { readEntry } from './service-entry.ts'
import { SERVICE_CONTENTS } from './service-schemas.ts'
import { listServices } from './services.ts'

const IN_ANSWER = 1000

/**
 * Every service with what is planned for it and what is written of it, so that nobody asks for each: by pages,
 * in the order of their identifiers.
 */
export function createServiceListRoutes({ db }: CatalogueContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/service-contents',
      access: 'reader',
      about: {
        summary: 'All services, with what is planned and what is written of them',
        query: { after: { schema: text, description: 'The next of the answer before.' } },
        answers: { 200: json(object({ services: listOf(SERVICE_CONTENTS) }, { next: text })) },
      },
      handle: ({ query }) => {
        const after = query.get('after') ?? ''
        if (after.length > 700) throw invalid('after', 'send the next of the answer before')
        const found = listServices(db, { after, limit: IN_ANSWER })
        const services = found.map((service) => ({ ...service, entry: readEntry(db, service.id) }))
        const last = found.at(-1)
        const isWhole = found.length < IN_ANSWER || last === undefined
        return { body: { services, ...(isWhole ? {} : { next: last.id }) } }
      },
    },
  ]
}
