import {
  compareDescriptions,
  type Comparison,
} from '../../../service-catalogue/comparison/compare-descriptions.ts'
import type { JsonObject } from '../../../service-catalogue/comparison/difference.ts'

const PERSON = {
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string', maxLength: 9 },
    sex: { enum: ['f', 'm'] },
    age: { type: 'integer', minimum: 0 },
  },
}

export type Edit = (document: ReturnType<typeof base>) => void

export function base() {
  return {
    openapi: '3.1.0',
    info: { title: 'ប្រជាជន', version: '1' },
    paths: {
      '/persons/{id}': {
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
        get: {
          summary: 'One person',
          parameters: [{ name: 'lang', in: 'query', schema: { enum: ['km', 'en'] } }] as object[],
          responses: {
            200: {
              description: 'ok',
              headers: { ETag: { schema: { type: 'string' } } },
              content: { 'application/json': { schema: { $ref: '#/components/schemas/Person' } } },
            },
            404: { description: 'none' },
          } as Record<string, object>,
        },
        put: {
          requestBody: {
            content: {
              'application/json': { schema: { $ref: '#/components/schemas/Change' } },
            } as Record<string, object>,
          },
          responses: { 204: { description: 'done' } },
        },
      } as Record<string, object>,
    } as Record<string, object>,
    components: {
      schemas: { Person: structuredClone(PERSON), Change: structuredClone(PERSON) } as Record<
        string,
        JsonObject
      >,
    },
  }
}

const at = (document: object, ...path: string[]): Record<string, unknown> =>
  path.reduce<Record<string, unknown>>(
    (o, key) => o[key] as Record<string, unknown>,
    document as never,
  )
export const person = (d: object, ...more: string[]) =>
  at(d, 'components', 'schemas', 'Person', ...more)
const change = (d: object, ...more: string[]) => at(d, 'components', 'schemas', 'Change', ...more)
export const get = (d: object, ...more: string[]) => at(d, 'paths', '/persons/{id}', 'get', ...more)

export const compare = (edit: Edit): Comparison => {
  const after = base()
  edit(after)
  return compareDescriptions(base(), after)
}

export const CASES: readonly (readonly [
  string,
  'breaking' | 'compatible' | 'editorial',
  string,
  Edit,
])[] = [
  ['a path taken out', 'breaking', '/paths/~1persons~1{id}', (d) => (d.paths = { '/x': {} })],
  ['a new path', 'compatible', '/paths/~1x', (d) => (d.paths['/x'] = { get: {} })],
  [
    'an operation taken out',
    'breaking',
    '/paths/~1persons~1{id}/put',
    (d) => delete at(d, 'paths', '/persons/{id}').put,
  ],
  [
    'a new operation',
    'compatible',
    '/paths/~1persons~1{id}/delete',
    (d) => (at(d, 'paths', '/persons/{id}').delete = {}),
  ],
  [
    'a new required parameter',
    'breaking',
    '/paths/~1persons~1{id}/get/parameters/1',
    (d) => (get(d).parameters as object[]).push({ name: 'q', in: 'query', required: true }),
  ],
  [
    'a new optional parameter',
    'compatible',
    '/paths/~1persons~1{id}/get/parameters/1',
    (d) => (get(d).parameters as object[]).push({ name: 'q', in: 'query' }),
  ],
  [
    'a parameter taken out',
    'breaking',
    '/paths/~1persons~1{id}/get/parameters/0',
    (d) => (get(d).parameters = []),
  ],
  [
    'a parameter that became required',
    'breaking',
    '/paths/~1persons~1{id}/get/parameters/0/required',
    (d) => ((get(d).parameters as Record<string, unknown>[])[0]!.required = true),
  ],
  [
    'fewer values of a parameter',
    'breaking',
    '/paths/~1persons~1{id}/get/parameters/0/schema/enum',
    (d) => ((get(d).parameters as Record<string, unknown>[])[0]!.schema = { enum: ['km'] }),
  ],
  [
    'more values of a parameter',
    'compatible',
    '/paths/~1persons~1{id}/get/parameters/0/schema/enum',
    (d) =>
      ((get(d).parameters as Record<string, unknown>[])[0]!.schema = {
        enum: ['km', 'en', 'lo'],
      }),
  ],
  [
    'a property taken out of answers',
    'breaking',
    '/components/schemas/Person/properties/age',
    (d) => delete person(d, 'properties').age,
  ],
  [
    'a property new in answers',
    'compatible',
    '/components/schemas/Person/properties/name',
    (d) => (person(d, 'properties').name = {}),
  ],
  [
    'a property that answers may lack now',
    'breaking',
    '/components/schemas/Person',
    (d) => delete person(d).required,
  ],
  [
    'a property that answers always have now',
    'compatible',
    '/components/schemas/Person/required',
    (d) => (person(d).required = ['id', 'age']),
  ],
  [
    'a property required of requests',
    'breaking',
    '/components/schemas/Change/required',
    (d) => (change(d).required = ['id', 'age']),
  ],
  [
    'a new required property of requests',
    'breaking',
    '/components/schemas/Change/properties/name',
    (d) => ((change(d).required = ['id', 'name']), (change(d, 'properties').name = {})),
  ],
  [
    'a property no longer required of requests',
    'compatible',
    '/components/schemas/Change',
    (d) => delete change(d).required,
  ],
  [
    'another type',
    'breaking',
    '/components/schemas/Person/properties/age/type',
    (d) => (person(d, 'properties', 'age').type = 'string'),
  ],
  [
    'a type wider in answers',
    'breaking',
    '/components/schemas/Person/properties/age/type',
    (d) => (person(d, 'properties', 'age').type = 'number'),
  ],
  [
    'a type wider in requests',
    'compatible',
    '/components/schemas/Change/properties/age/type',
    (d) => (change(d, 'properties', 'age').type = 'number'),
  ],
  [
    'null in answers',
    'breaking',
    '/components/schemas/Person/properties/id/type',
    (d) => (person(d, 'properties', 'id').type = ['string', 'null']),
  ],
  [
    'a new value in answers',
    'breaking',
    '/components/schemas/Person/properties/sex/enum',
    (d) => (person(d, 'properties', 'sex').enum = ['f', 'm', 'x']),
  ],
  [
    'a value taken out of requests',
    'breaking',
    '/components/schemas/Change/properties/sex/enum',
    (d) => (change(d, 'properties', 'sex').enum = ['f']),
  ],
  [
    'a lower limit of requests',
    'breaking',
    '/components/schemas/Change/properties/id/maxLength',
    (d) => (change(d, 'properties', 'id').maxLength = 8),
  ],
  [
    'a higher limit of requests',
    'compatible',
    '/components/schemas/Change/properties/id/maxLength',
    (d) => (change(d, 'properties', 'id').maxLength = 10),
  ],
  [
    'a higher minimum of requests',
    'breaking',
    '/components/schemas/Change/properties/age/minimum',
    (d) => (change(d, 'properties', 'age').minimum = 1),
  ],
  [
    'a format of requests',
    'breaking',
    '/components/schemas/Change/properties/id/format',
    (d) => (change(d, 'properties', 'id').format = 'uuid'),
  ],
  [
    'a pattern of requests',
    'breaking',
    '/components/schemas/Change/properties/id/pattern',
    (d) => (change(d, 'properties', 'id').pattern = '^a'),
  ],
  [
    'requests closed for unknown properties',
    'breaking',
    '/components/schemas/Change/additionalProperties',
    (d) => (change(d).additionalProperties = false),
  ],
  [
    'an unknown keyword',
    'breaking',
    '/components/schemas/Person/dependentRequired',
    (d) => (person(d).dependentRequired = { id: ['age'] }),
  ],
  [
    'a default of requests',
    'breaking',
    '/components/schemas/Change/properties/id/default',
    (d) => (change(d, 'properties', 'id').default = 'a'),
  ],
  [
    'a media type of answers taken out',
    'breaking',
    '/paths/~1persons~1{id}/get/responses/200/content/application~1json',
    (d) => (get(d, 'responses', '200').content = { 'application/xml': {} }),
  ],
  [
    'a new media type of requests',
    'compatible',
    '/paths/~1persons~1{id}/put/requestBody/content/application~1xml',
    (d) =>
      (at(d, 'paths', '/persons/{id}', 'put', 'requestBody', 'content')['application/xml'] = {}),
  ],
  [
    'a body that became required',
    'breaking',
    '/paths/~1persons~1{id}/put/requestBody',
    (d) => (at(d, 'paths', '/persons/{id}', 'put', 'requestBody').required = true),
  ],
  [
    'a status of success taken out',
    'breaking',
    '/paths/~1persons~1{id}/get/responses/200',
    (d) => delete get(d, 'responses')['200'],
  ],
  [
    'a new status of success',
    'breaking',
    '/paths/~1persons~1{id}/get/responses/206',
    (d) => (get(d, 'responses')['206'] = {}),
  ],
  [
    'a new status of failure',
    'compatible',
    '/paths/~1persons~1{id}/get/responses/429',
    (d) => (get(d, 'responses')['429'] = {}),
  ],
  [
    'a header of answers taken out',
    'breaking',
    '/paths/~1persons~1{id}/get/responses/200/headers/ETag',
    (d) => (get(d, 'responses', '200').headers = {}),
  ],
  [
    'a log-in',
    'breaking',
    '/paths/~1persons~1{id}/get/security',
    (d) => (get(d).security = [{ key: [] }]),
  ],
  [
    'a deprecated operation',
    'compatible',
    '/paths/~1persons~1{id}/get/deprecated',
    (d) => (get(d).deprecated = true),
  ],
  [
    'another summary',
    'editorial',
    '/paths/~1persons~1{id}/get/summary',
    (d) => (get(d).summary = 'A person'),
  ],
  ['another title', 'editorial', '/info', (d) => (d.info.title = 'Persons')],
  [
    'a description of a schema',
    'editorial',
    '/components/schemas/Person/description',
    (d) => (person(d).description = 'x'),
  ],
  ['a schema that nobody uses', 'editorial', '', (d) => (d.components.schemas.Other = {})],
]
