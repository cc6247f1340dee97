import { describe, expect, it } from 'vitest'
import { compareDescriptions } from '../../../service-catalogue/comparison/compare-descriptions.ts'
import type { JsonObject } from '../../../service-catalogue/comparison/difference.ts'
import { compareVersions, lowestVersion } from '../../../service-catalogue/comparison/versions.ts'
import { base, CASES, compare, get, person } from './cases.ts'

describe('a change', () => {
  it.each(CASES)('by %s is %s', (_, level, pointer, edit) => {
    const { level: found, differences } = compare(edit)
    expect(found).toBe(level)
    expect(differences.filter((one) => one.level === level).map((one) => one.pointer)).toContain(
      pointer,
    )
  })

  it('of nothing, or of the order of members alone, is none', () => {
    expect(compare(() => undefined)).toEqual({ level: undefined, differences: [] })
    const reversed = Object.fromEntries(Object.entries(base()).toReversed())
    expect(compareDescriptions(base(), reversed).level).toBeUndefined()
  })

  it('of the name of a path parameter is editorial', () => {
    const { level } = compare((d) => {
      const { '/persons/{id}': item } = d.paths
      d.paths = {
        '/persons/{number}': {
          ...item,
          parameters: [{ name: 'number', in: 'path', required: true, schema: { type: 'string' } }],
        },
      }
    })
    expect(level).toBe('editorial')
  })

  it('by a shared schema is told once, and worst first', () => {
    const { differences } = compare((d) => {
      delete person(d, 'properties').age
      get(d).summary = 'x'
      person(d, 'properties').more = {}
    })
    expect(differences.map(({ level }) => level)).toEqual(['breaking', 'compatible', 'editorial'])
  })

  it('is found in schemas that hold themselves, and in ones nested without end', () => {
    const tree = (extra: object): JsonObject => ({
      ...base(),
      components: {
        schemas: {
          Person: { properties: { child: { $ref: '#/components/schemas/Person' }, ...extra } },
          Change: {},
        },
      },
    })
    expect(compareDescriptions(tree({ a: {} }), tree({})).differences).toEqual([
      {
        level: 'breaking',
        pointer: '/components/schemas/Person/properties/a',
        text: 'property a is taken out of answers',
      },
    ])
    const nest = (depth: number, leaf: object): object =>
      depth === 0 ? leaf : { items: nest(depth - 1, leaf) }
    const deep = (leaf: object): JsonObject => ({
      ...base(),
      components: { schemas: { Person: nest(500, leaf), Change: {} } },
    })
    expect(compareDescriptions(deep({}), deep({ type: 'string' })).level).toBe('breaking')
  })

  it('from no description to one promises more, the other way round less', () => {
    expect(compareDescriptions(undefined, base()).level).toBe('compatible')
    expect(compareDescriptions(base(), undefined).level).toBe('breaking')
  })
})

it('versions go up by the part that the change asks for', () => {
  expect(lowestVersion('1.2.3', 'breaking')).toBe('2.0.0')
  expect(lowestVersion('1.2.3', 'compatible')).toBe('1.3.0')
  expect(lowestVersion('1.2.3', 'editorial')).toBe('1.2.4')
  expect(compareVersions('1.10.0', '1.9.9')).toBeGreaterThan(0)
  expect(compareVersions('2.0.0', '10.0.0')).toBeLessThan(0)
  expect(compareVersions('1.0.0', '1.0.0')).toBe(0)
})
