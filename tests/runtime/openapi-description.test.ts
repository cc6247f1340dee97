import { describe, expect, it } from 'vitest'
import { apiDescriptions } from '../../docs/generate/api.ts'
import { readDescription } from '../../openapi/description.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'
import { describeApi, type ApiAbout } from '../../runtime/openapi-description.ts'
import {
  json,
  named,
  object,
  text,
  type RouteDescription,
} from '../../runtime/route-description.ts'
import type { Description } from '../support/described-api.ts'

const ABOUT: ApiAbout = { title: 't', description: 'd', credentials: {} }
const route = (path: string, about: Partial<RouteDescription>): Route => ({
  ...{ method: 'PUT', path, access: 'admin' },
  about: { summary: 's', answers: {}, ...about },
  handle: () => ({}),
})
const describeRoutes = (...routes: Route[]) => describeApi(ABOUT, routes) as Description

describe('a description of an API', () => {
  it.each([...apiDescriptions()])('is OpenAPI 3.1, as %s is', async (_file, document) => {
    const description = JSON.parse(document) as Description
    expect(description.openapi).toBe('3.1.0')
    const { endpoints } = await readDescription(description)
    expect(endpoints.length).toBeGreaterThan(3)
    const operations = Object.values(description.paths).flatMap((path) => Object.values(path))
    const ids = operations.map((operation) => (operation as { operationId?: string }).operationId)
    expect(new Set(ids).size).toBe(operations.length)
  })

  it('has the schema that checks a body', () => {
    const body = bodyParser<{ a?: string }>({
      type: 'object',
      properties: { a: { type: 'string', nullable: true } },
    })
    const { paths } = describeRoutes(route('/x/:a/*rest', { body, isBodyOptional: true }))
    expect(paths['/x/{a}/{rest}']?.put?.requestBody).toEqual({
      required: false,
      content: {
        'application/json': {
          schema: { type: 'object', properties: { a: { type: ['string', 'null'] } } },
        },
      },
    })
  })

  it('has schemas with a title once, and none that is two things', () => {
    const thing = named('Thing', object({ a: text }))
    const other = named('Thing', object({ b: text }))
    const one = route('/a', { answers: { 200: json(object({ thing })), 201: json(thing) } })
    expect(describeRoutes(one).components.schemas).toMatchObject({
      Thing: { required: ['a'], additionalProperties: false },
    })
    const two = route('/b', { answers: { 200: json(other) } })
    expect(() => describeRoutes(one, two)).toThrow(/two components .* Thing/)
  })

  it('has the codes of what is refused, those of the route beside those of all', () => {
    const { paths, components } = describeRoutes(route('/a', { refusals: ['admin.conflict'] }))
    const codes: unknown[] = Object.values(paths['/a']!.put!.responses).map(
      ({ $ref = '' }) => components.responses[$ref.split('/').at(-1)!]?.['x-codes'],
    )
    expect(new Set(codes.flat())).toEqual(
      new Set([
        ...['admin.conflict', 'admin.not-permitted', 'admin.unauthenticated', 'internal'],
        ...['request.body-too-large', 'request.malformed', 'validation.content-type'],
      ]),
    )
  })
})
