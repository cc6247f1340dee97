import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFieldFilter } from '../../openapi/field-filter.ts'

const apply = (fields: string[], text: string): string => {
  const filtered = createFieldFilter(fields).apply(Buffer.from(text))
  return 'fault' in filtered
    ? `fault ${filtered.fault}`
    : Buffer.from(filtered.bytes).toString('utf8')
}
const removedOf = (fields: string[], text: string): string[] => {
  const filtered = createFieldFilter(fields).apply(Buffer.from(text))
  return 'fault' in filtered ? [filtered.fault] : filtered.removed.map(({ place }) => place)
}

describe('the fields of a contract', () => {
  it.each([
    [['/a'], '{"a":1,"b":2}', '{"a":1}'],
    [['/b'], '{"a":1,"b":2}', '{"b":2}'],
    [['/b'], '{"a":1, "b" : 2 , "c":3}', '{"b" : 2}'],
    [['/a', '/c'], '{ "a":1, "b":2, "c":3 }', '{ "a":1, "c":3 }'],
    [['/x'], '{"a":1,"b":2}', '{}'],
    [['/a'], '{"a":{"deep":[1,2]},"b":2}', '{"a":{"deep":[1,2]}}'],
    [['/a/b'], '{"a":{"b":1,"c":2}}', '{"a":{"b":1}}'],
    [['/items/*/id'], '{"items":[{"id":1,"s":2},{"id":3}],"n":2}', '{"items":[{"id":1},{"id":3}]}'],
    [['/*/id'], '[{"id":1,"x":2}]', '[{"id":1}]'],
    [['/0'], '[1,2,3]', '[1]'],
    [['/a~1b/m~0n'], '{"a/b":{"m~n":1,"x":2}}', '{"a/b":{"m~n":1}}'],
    [[''], '{"a":1,"b":2}', '{"a":1,"b":2}'],
    [['/a/b'], '{"a":null}', '{"a":null}'],
    [['/a/b'], '{"a":"secret"}', '{}'],
    [['/a'], '{"\\u0061":1,"b":2}', '{"\\u0061":1}'],
    [['/ឈ្មោះ'], '{"ឈ្មោះ":"សុខ","អាយុ":30}', '{"ឈ្មោះ":"សុខ"}'],
    [['/__proto__'], '{"__proto__":1,"a":2}', '{"__proto__":1}'],
    [['/a'], '{"__proto__":{"a":1},"constructor":2}', '{}'],
    [
      ['/*/ok', '/a/also'],
      '{"a":{"ok":1,"also":2,"no":3},"b":{"ok":1,"also":2}}',
      '{"a":{"ok":1,"also":2},"b":{"ok":1}}',
    ],
  ])('%j of %s leave %s', (fields, text, expected) => {
    expect(apply(fields, text)).toBe(expected)
  })

  it('that all allow leave every byte as it is', () => {
    const text = ' {"a" : 1.0e0,\n "\\u0062":"\\/"} '
    expect(apply(['/a', '/b'], text)).toBe(text)
  })

  it('cannot be judged of a single value, of broken JSON, or of a name that stands twice', () => {
    expect(apply(['/a'], '"secret"')).toBe('fault contract')
    expect(apply(['/a'], '{"a":1')).toBe('fault json')
    expect(apply(['/a'], '{"a":1,"a":{"secret":2}}')).toBe('fault duplicate')
  })

  it('say what was taken out by place, and tell no name that may be a person’s number', () => {
    const text = '{"people":{"010203001":{"name":1,"phone":2}},"secret":1}'
    expect(removedOf(['/people/*/name'], text)).toEqual(['/people/*/phone', '/secret'])
    expect(removedOf(['/x'], '{"010203001":1}')).toEqual(['/*'])
  })

  it('leave nothing else, and all of what they name, whatever the body', () => {
    const names = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'c/d', '')
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.string(),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(names, tie('any'), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).any
    const pointer = fc.array(fc.oneof(names, fc.constant('*')), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(
        fc.dictionary(names, value),
        fc.array(pointer, { maxLength: 3 }),
        (body, paths) => {
          const text = JSON.stringify(body)
          const fields = paths.map((path) =>
            path.map((t) => `/${t.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
          )
          const left: unknown = JSON.parse(apply(fields, text))
          const covered = (trail: string[]): boolean =>
            paths.some(
              (path) =>
                path.length <= trail.length && path.every((t, i) => t === '*' || t === trail[i]),
            )
          const leaves = (json: unknown, trail: string[] = []): string[][] =>
            typeof json === 'object' && json !== null && Object.keys(json).length > 0
              ? Object.entries(json).flatMap(([name, inner]) => leaves(inner, [...trail, name]))
              : [trail]
          const scalar = (json: unknown, trail: string[]): unknown =>
            trail.reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], json)
          for (const trail of leaves(left)) {
            const at = scalar(left, trail)
            if (typeof at !== 'object') expect(covered(trail)).toBe(true)
          }
          const kept = leaves(JSON.parse(text)).filter((trail) => covered(trail))
          const shown = leaves(left).map((trail) => trail.length)
          expect(shown.length).toBeGreaterThanOrEqual(kept.length > 0 ? 1 : 0)
          expect(leaves(left).filter((trail) => covered(trail)).length).toBe(kept.length)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
