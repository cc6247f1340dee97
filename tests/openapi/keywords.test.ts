import { beforeAll, describe, expect, it } from 'vitest'
import { readDescription, type Description } from '../../openapi/description.ts'
import { describeBody, HANG_MICROSECONDS, judge } from './support.ts'

/** A message that conforms, and for each keyword one that does not, with the finding that names the place. */
interface Case {
  readonly keyword: string
  readonly schema: object
  readonly good: unknown
  readonly bad: unknown
  readonly found: string
}
const text = { type: 'string' }
const COMMON: Case[] = [
  ['type', { type: 'integer' }, 1, 'x', '/f type'],
  ['enum', { enum: ['a', { b: [1] }] }, { b: [1] }, { b: [2] }, '/f enum'],
  ['multipleOf', { type: 'number', multipleOf: 0.01 }, 19.99, 19.999, '/f multipleOf'],
  ['maximum', { type: 'number', maximum: 5 }, 5, 6, '/f maximum'],
  ['minimum', { type: 'number', minimum: 5 }, 5, 4, '/f minimum'],
  ['maxLength', { type: 'string', maxLength: 2 }, 'ក្', 'ក្ក', '/f maxLength'],
  ['minLength', { type: 'string', minLength: 2 }, 'ab', '🙂', '/f minLength'],
  ['pattern', { type: 'string', pattern: '^[0-9]{3}$' }, '123', '1234', '/f pattern'],
  ['maxItems', { type: 'array', items: {}, maxItems: 1 }, [1], [1, 2], '/f maxItems'],
  ['minItems', { type: 'array', items: {}, minItems: 1 }, [1], [], '/f minItems'],
  [
    'uniqueItems',
    { type: 'array', items: {}, uniqueItems: true },
    [1, '1'],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    '/f uniqueItems',
  ],
  [
    'maxProperties',
    { type: 'object', maxProperties: 1 },
    { a: 1 },
    { a: 1, b: 2 },
    '/f maxProperties',
  ],
  ['minProperties', { type: 'object', minProperties: 1 }, { a: 1 }, {}, '/f minProperties'],
  ['required', { type: 'object', required: ['id'] }, { id: 1 }, {}, '/f/id required'],
  [
    'properties',
    { type: 'object', properties: { id: text } },
    { id: 'a' },
    { id: 1 },
    '/f/id type',
  ],
  [
    'additionalProperties',
    { type: 'object', properties: { id: text }, additionalProperties: false },
    { id: 'a' },
    { id: 'a', secret: 1 },
    '/f/secret additionalProperties',
  ],
  [
    'additionalProperties of a schema',
    { type: 'object', additionalProperties: text },
    { a: 'x' },
    { '0102': 1 },
    '/f/0102 type',
  ],
  ['items', { type: 'array', items: text }, ['a'], ['a', 1], '/f/1 type'],
  ['allOf', { allOf: [{ type: 'number' }, { minimum: 3 }] }, 3, 2, '/f minimum'],
  ['anyOf', { anyOf: [text, { type: 'boolean' }] }, true, 1, '/f anyOf'],
  ['oneOf', { oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, 4, 6, '/f oneOf'],
  ['not', { not: text }, 1, 'a', '/f not'],
  ['date', { type: 'string', format: 'date' }, '2024-02-29', '2023-02-29', '/f format'],
  [
    'date-time',
    { type: 'string', format: 'date-time' },
    '2024-02-29T10:00:00+07:00',
    '2024-02-29',
    '/f format',
  ],
  [
    'uuid',
    { type: 'string', format: 'uuid' },
    '01a206cc-083d-72a8-8932-a6c940c296d0',
    'x',
    '/f format',
  ],
  ['email', { type: 'string', format: 'email' }, 'a@b.kh', `${'a'.repeat(400)}@b.kh`, '/f format'],
  ['int32', { type: 'integer', format: 'int32' }, 2147483647, 2147483648, '/f format'],
  ['byte', { type: 'string', format: 'byte' }, 'aGk=', 'aGk', '/f format'],
].map(toCase)
const ONLY_31: Case[] = [
  ['const', { const: { a: [1] } }, { a: [1] }, { a: [1, 2] }, '/f const'],
  ['type as a list', { type: ['string', 'null'] }, null, 1, '/f type'],
  ['exclusiveMinimum', { exclusiveMinimum: 5 }, 6, 5, '/f exclusiveMinimum'],
  ['exclusiveMaximum', { exclusiveMaximum: 5 }, 4, 5, '/f exclusiveMaximum'],
  ['contains', { contains: text }, [1, 'a'], [1], '/f contains'],
  ['minContains', { contains: text, minContains: 2 }, ['a', 'b'], ['a'], '/f contains'],
  ['maxContains', { contains: text, maxContains: 1 }, ['a'], ['a', 'b'], '/f contains'],
  ['prefixItems', { prefixItems: [text, { type: 'number' }] }, ['a', 1], [1, 1], '/f/0 type'],
  ['items after prefixItems', { prefixItems: [text], items: false }, ['a'], ['a', 1], '/f items'],
  [
    'patternProperties',
    { patternProperties: { '^x_': text } },
    { x_a: 'b' },
    { x_a: 1 },
    '/f/* type',
  ],
  ['propertyNames', { propertyNames: { maxLength: 2 } }, { ab: 1 }, { abc: 1 }, '/f maxLength'],
  [
    'dependentRequired',
    { dependentRequired: { card: ['bill'] } },
    { card: 1, bill: 2 },
    { card: 1 },
    '/f/bill dependentRequired',
  ],
  [
    'dependentSchemas',
    { dependentSchemas: { a: { required: ['b'] } } },
    { a: 1, b: 2 },
    { a: 1 },
    '/f/b required',
  ],
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  ['if and then', { if: { type: 'string' }, then: { minLength: 2 } }, 'ab', 'a', '/f minLength'],
  ['if and else', { if: { type: 'string' }, else: { type: 'null' } }, null, 1, '/f type'],
  [
    'unevaluatedProperties',
    { allOf: [{ properties: { a: text } }], unevaluatedProperties: false },
    { a: 'x' },
    { a: 'x', other: 1 },
    '/f/other unevaluatedProperties',
  ],
  [
    'unevaluatedItems',
    { prefixItems: [text], unevaluatedItems: false },
    ['a'],
    ['a', 1],
    '/f unevaluatedItems',
  ],
  ['false', false, undefined, 1, '/f false'],
].map(toCase)
const ONLY_30: Case[] = [
  ['nullable', { type: 'string', nullable: true }, null, 1, '/f type'],
  ['no nullable', { type: 'string' }, 'a', null, '/f type'],
  [
    'exclusiveMinimum',
    { type: 'number', minimum: 5, exclusiveMinimum: true },
    6,
    5,
    '/f exclusiveMinimum',
  ],
  [
    'exclusiveMaximum',
    { type: 'number', maximum: 5, exclusiveMaximum: true },
    4,
    5,
    '/f exclusiveMaximum',
  ],
  [
    'exclusiveMinimum that is false',
    { type: 'number', minimum: 5, exclusiveMinimum: false },
    5,
    4,
    '/f minimum',
  ],
].map(toCase)

function toCase(row: readonly unknown[]): Case {
  const [keyword, schema, good, bad, found] = row
  return { keyword, schema, good, bad, found: `body ${String(found)}` } as Case
}

describe.each([
  ['3.1.0', [...COMMON, ...ONLY_31]],
  ['3.0.3', [...COMMON, ...ONLY_30]],
] as const)('in OpenAPI %s', (version, cases) => {
  it.each(cases)('$keyword is kept, and its breach names the field', async (one) => {
    const schema = { type: 'object', properties: { f: one.schema } }
    const description = await readDescription(describeBody(schema, version))
    const said = (f: unknown): Promise<string[]> =>
      judge(description, { body: JSON.stringify({ f }) })
    expect(await said(one.good)).toEqual([])
    const findings = await said(one.bad)
    expect(findings).toContain(one.found)
    const answer = { body: JSON.stringify({ f: one.bad }), status: 200 }
    expect(await judge(description, answer)).toContain(one.found)
  })
})

describe('what travels in one direction only', () => {
  let description: Description
  beforeAll(async () => {
    const person = {
      type: 'object',
      required: ['id', 'pin', 'name'],
      properties: {
        id: { type: 'string', readOnly: true },
        pin: { $ref: '#/components/schemas/Pin' },
        name: text,
      },
    }
    const Pin = { type: 'string', writeOnly: true }
    description = await readDescription(
      describeBody(person, '3.1.0', { components: { schemas: { Pin } } }),
    )
  })
  it('readOnly is in answers only, writeOnly in requests only', async () => {
    const sent = (body: object, status?: number): Promise<string[]> =>
      judge(description, { body: JSON.stringify(body), ...(status ? { status } : {}) })
    expect(await sent({ name: 'a', pin: '1' })).toEqual([])
    expect(await sent({ name: 'a', id: '1', pin: '1' })).toEqual(['body /id readOnly'])
    expect(await sent({ name: 'a' })).toEqual(['body /pin required'])
    expect(await sent({ name: 'a', id: '1' }, 200)).toEqual([])
    expect(await sent({ name: 'a', id: '1', pin: '1' }, 200)).toEqual(['body /pin writeOnly'])
    expect(await sent({ name: 'a' }, 200)).toEqual(['body /id required'])
  })
})

it('names that every object inherits are names like others', async () => {
  const schema = {
    type: 'object',
    properties: { a: text },
    required: ['constructor'],
    additionalProperties: false,
  }
  const description = await readDescription(describeBody(schema))
  expect(await judge(description, { body: '{}' })).toEqual(['body /constructor required'])
  for (const name of ['__proto__', 'toString', 'valueOf']) {
    const found = await judge(description, { body: `{"${name}":{"a":"x"}}` })
    expect(found).toContain(`body /${name} additionalProperties`)
  }
})

it('a list of a hundred thousand different objects is compared in time', async () => {
  const description = await readDescription(describeBody({ type: 'array', uniqueItems: true }))
  const body = JSON.stringify(Array.from({ length: 100_000 }, (_, i) => ({ valueOf: i })))
  const begun = process.cpuUsage()
  expect(await judge(description, { body })).toEqual([])
  expect(process.cpuUsage(begun).user).toBeLessThan(HANG_MICROSECONDS)
})

it('each pattern is its own', async () => {
  const string = (pattern: string): object => ({ type: 'string', pattern })
  const properties = { a: string('^a$'), b: string('^b$'), c: string('\\p{L}\\d') }
  const description = await readDescription(describeBody({ type: 'object', properties }))
  const said = (body: object): Promise<string[]> =>
    judge(description, { body: JSON.stringify(body) })
  expect(await said({ a: 'a', b: 'b', c: 'ក1' })).toEqual([])
  expect(await said({ a: 'b', b: 'a', c: '1ក' })).toEqual([
    'body /a pattern',
    'body /b pattern',
    'body /c pattern',
  ])
})
