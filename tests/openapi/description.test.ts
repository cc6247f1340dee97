import { describe, expect, it } from 'vitest'
import { readDescription } from '../../openapi/description.ts'
import {
  describe30,
  describe31,
  describeBody,
  faultsOf,
  HANG_MICROSECONDS,
  judge,
  type Json,
} from './support.ts'

const SCHEMA = '/paths/~1things/post/requestBody/content/application~1json/schema'
const ANSWERS = { responses: { 200: { description: 'good' } } }

async function placesOf(document: unknown): Promise<string[]> {
  return (await faultsOf(document)).map(({ pointer }) => pointer)
}

describe('a description', () => {
  it.each([
    ['a file', './other.yaml#/X'],
    ['another server', 'https://example.org/x.json'],
    ['the metadata of a cloud', 'http://169.254.169.254/latest/meta-data'],
    ['a place that is not there', '#/components/schemas/None'],
    ['an anchor', '#person'],
  ])('that refers to %s is refused with the place, and nothing is fetched', async (_, $ref) => {
    const document = describeBody({ type: 'object', properties: { a: { $ref } } })
    expect(await placesOf(document)).toContain(`${SCHEMA}/properties/a/$ref`)
  })

  it('with a property or an example that is called $ref is none of that', async () => {
    const schema = { type: 'object', properties: { $ref: { type: 'string' } } }
    const example = { $ref: 'https://example.org/' }
    expect(await faultsOf(describeBody({ ...schema, example }))).toEqual([])
  })

  it.each([
    ['look-ahead', '^(?=.*a)b$'],
    ['look-behind', '(?<=a)b'],
    ['a back-reference', '^(a)\\1$'],
    ['an open group', '(a'],
    ['a repetition without end', 'a{2000}'],
    ['three thousand characters', 'a'.repeat(3000)],
  ])('with a pattern of %s is refused with the place', async (_, pattern) => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern } } }
    expect(await placesOf(describeBody(schema))).toContain(`${SCHEMA}/properties/a/pattern`)
  })

  it('with a pattern that explodes elsewhere is taken, and does not explode', async () => {
    const description = await readDescription(
      describeBody({ type: 'string', pattern: '^(a+)+$' }, '3.0.3'),
    )
    const begun = process.cpuUsage()
    const body = JSON.stringify(`${'a'.repeat(50_000)}!`)
    expect(await judge(description, { body })).toEqual(['body pattern'])
    expect(process.cpuUsage(begun).user).toBeLessThan(HANG_MICROSECONDS)
  })

  it('may refer to itself, and is compared all the way down', async () => {
    const Node = {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string' },
        next: { $ref: '#/components/schemas/Node' },
        all: { type: 'array', items: { $ref: '#/components/schemas/Node' } },
      },
    }
    const reference = { $ref: '#/components/schemas/Node' }
    const description = await readDescription(
      describeBody(reference, '3.0.3', { components: { schemas: { Node } } }),
    )
    const body = JSON.stringify({
      name: 'a',
      next: { name: 'b', all: [{ name: 'c' }, { next: 1 }] },
    })
    expect((await judge(description, { body })).toSorted()).toEqual([
      'body /next/all/1/name required',
      'body /next/all/1/next type',
    ])
  })

  it('in which a reference leads only to itself is refused or means nothing, and ends', async () => {
    const schemas = { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } }
    const document = describeBody({ $ref: '#/components/schemas/A' }, '3.1.0', {
      components: { schemas },
    })
    expect((await placesOf(document)).length).toBeGreaterThan(0)
  })

  it('that would be gigantic with references written out takes no time', async () => {
    const schemas: Json = { S40: { type: 'string' } }
    for (let i = 0; i < 40; i += 1) {
      const next = { $ref: `#/components/schemas/S${i + 1}` }
      schemas[`S${i}`] = { type: 'object', properties: { a: next, b: next } }
    }
    for (const version of ['3.0.3', '3.1.0']) {
      const begun = process.cpuUsage()
      const document = describeBody({ $ref: '#/components/schemas/S0' }, version, {
        components: { schemas },
      })
      expect(await faultsOf(document)).toEqual([])
      expect(process.cpuUsage(begun).user).toBeLessThan(HANG_MICROSECONDS)
    }
  })

  it('that is nested too deeply, or holds too much, is refused', async () => {
    let schema: Json = { type: 'string' }
    for (let i = 0; i < 150; i += 1) schema = { type: 'array', items: schema }
    expect((await faultsOf(describeBody(schema)))[0]?.text).toContain('deep')
    const paths = Object.fromEntries(
      Array.from({ length: 2001 }, (_, i) => [`/p${i}`, { get: ANSWERS }]),
    )
    expect(await placesOf(describe31(paths))).toEqual(['/paths'])
    const lists = {
      'x-much': undefined,
      tags: Array.from({ length: 500_001 }, () => ({ name: 'a' })),
    }
    expect(await placesOf(describe31({ '/a': { get: ANSWERS } }, lists))).toEqual([''])
  })

  it('is told all its faults at once', async () => {
    const paths = {
      'no-slash': { get: ANSWERS },
      '/a': { fetch: {}, get: { responses: { 200: { description: 7 } } } },
      '/b/{x}': { get: ANSWERS },
    }
    const document = describe30(paths, { info: { title: ' ', version: '1' } })
    const places = await placesOf(document)
    for (const place of [
      '/info/title',
      '/paths/no-slash',
      '/paths/~1a/fetch',
      '/paths/~1a/get/responses/200/description',
    ]) {
      expect(places).toContain(place)
    }
  })

  it.each([
    ['a type that is none', { type: 'strin' }, `${SCHEMA}/type`],
    ['a negative length', { minLength: -1 }, `${SCHEMA}/minLength`],
    ['required that is no list', { required: 'a' }, `${SCHEMA}/required`],
    ['a number for a schema', { properties: { a: 1 } }, `${SCHEMA}/properties/a`],
  ])('with a schema with %s is refused in both dialects', async (_, schema, place) => {
    for (const version of ['3.0.3', '3.1.0']) {
      expect(await placesOf(describeBody(schema, version))).toContain(place)
    }
  })

  it('with schemas under other names, or of another dialect, is refused', async () => {
    for (const keyword of ['$id', '$anchor', '$dynamicRef', '$dynamicAnchor']) {
      expect(await placesOf(describeBody({ [keyword]: 'x' }))).toContain(`${SCHEMA}/${keyword}`)
    }
    const jsonSchemaDialect = 'http://json-schema.org/draft-07/schema#'
    const document = describe31({ '/a': { get: ANSWERS } }, { jsonSchemaDialect })
    expect(await placesOf(document)).toEqual(['/jsonSchemaDialect'])
  })

  it('with two paths that nothing tells apart is refused', async () => {
    const document = describe31({ '/a/{x}': { get: ANSWERS }, '/a/{y}': { get: ANSWERS } })
    expect(await placesOf(document)).toEqual(['/paths/~1a~1{y}'])
  })

  it.each([null, [], 'text', 7, true])('that is %j is refused', async (document) => {
    expect(await placesOf(document)).toEqual([''])
  })
})
