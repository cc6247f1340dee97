import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { findOperation } from '../../openapi/check-message.ts'
import { readDescription, type Description } from '../../openapi/description.ts'
import { createRouter } from '../../openapi/router.ts'
import { covers } from '../../protocol/endpoint.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseTarget } from '../../protocol/target.ts'
import { describe31 } from './support.ts'

const TEMPLATES = [
  '/',
  '/things/mine',
  '/things/{id}',
  '/things/{id}/parts/{part}',
  '/admin/users',
  '/admin/{tool}.json',
  '/{area}/open',
]
const ANSWERS = { responses: { 200: { description: 'good' } } }
const PIECES = [
  ...['/', '/', '/', '//', '\\', '%2f', '%5C', '%252f'],
  ...[
    'things',
    'mine',
    'admin',
    'users',
    'open',
    'parts',
    'x.json',
    '%61dmin',
    'admi%6E',
    'm%69ne',
  ],
  ...[
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '.%2e',
    ';',
    '%3b',
    ';x=1',
    '%25',
    '%2561dmin',
    '%',
    '%c0%ae',
    '%ff',
  ],
  ...['%00', '%20', '%E1%9E%80', '1', '+', '*', '**', '~', '%7e'],
]
const wild = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((all) => `/${all.join('')}`)
const NAMES = ['things', 'mine', 'admin', 'users', 'open', 'parts', 'x.json', '7']
const segment = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NAMES) },
  fc
    .tuple(fc.constantFrom(...PIECES, ...NAMES), fc.constantFrom(...PIECES))
    .map((all) => all.join('')),
)
/** Half of them nearly right, half of them anything. */
const path = fc.oneof(
  wild,
  fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
)

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
/** Takes dots away as RFC 3986 §5.2.4 does, and empty segments as many servers do. */
function normal(text: string): string[] {
  const stack: string[] = []
  for (const segment of text.split(/[/\\]/)) {
    if (segment === '..') stack.pop()
    else if (segment !== '' && segment !== '.') stack.push(segment)
  }
  return stack
}
const cut = (text: string): string => text.replaceAll(/;[^/\\]*/g, '')
/** How services in use read a path: which segments they find in the bytes. */
const READINGS: Record<string, (raw: string) => string[]> = {
  'split, then decoded': (raw) => raw.slice(1).split('/').map(decode),
  'decoded, then split': (raw) => decode(raw).slice(1).split('/'),
  'decoded twice': (raw) => normal(decode(decode(raw))),
  'cut at semicolons': (raw) => normal(decode(cut(raw))),
  'decoded, then cut': (raw) => normal(cut(decode(raw))),
  normalised: (raw) => normal(decode(raw)),
}

const reach = (text: string): string | undefined => {
  try {
    return parseTarget(`/r1/KH/GOV/M/S/svc${text}`).servicePath
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}
function unlessAmbiguous<T>(decide: () => T): T | undefined {
  try {
    return decide()
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}

let description: Description
beforeAll(async () => {
  const paths = Object.fromEntries(TEMPLATES.map((template) => [template, { get: ANSWERS }]))
  description = await readDescription(describe31(paths))
})

describe('for any path bytes', () => {
  it('the operation decided on is the one that every service finds', () => {
    const { router } = createRouter(TEMPLATES.map((template) => [template, template]))
    let decided = 0
    const check = (text: string): void => {
      const raw = reach(text)
      const found = raw && unlessAmbiguous(() => findOperation(description, 'GET', raw))
      if (!raw || !found) return
      decided += 1
      const mine = router.find(raw === '/' ? [] : raw.slice(1).split('/').map(decode))?.template
      for (const [name, read] of Object.entries(READINGS)) {
        const segments = read(raw).filter((segment) => segment !== '')
        expect([name, text, router.find(segments)?.template]).toEqual([name, text, mine])
      }
    }
    fc.assert(fc.property(path, check), { numRuns: 50_000 })
    for (const template of TEMPLATES) check(template.replaceAll(/\{\w+\}/g, 'ក1'.normalize()))
    expect(decided).toBeGreaterThan(100)
  })

  it('no encoding of a path that no endpoint covers reaches it', () => {
    const endpoints = [
      { method: 'GET', path: '/things/*' },
      { method: 'GET', path: '/*/open' },
      { method: 'GET', path: '/things/*/parts/**' },
    ]
    let allowed = 0
    fc.assert(
      fc.property(path, (text) => {
        const raw = reach(text)
        if (raw === undefined) return
        if (unlessAmbiguous(() => covers(endpoints, 'GET', raw)) !== true) return
        allowed += 1
        for (const [name, read] of Object.entries(READINGS)) {
          const segments = read(raw).filter((segment) => segment !== '')
          const isForbidden =
            segments[0] === 'admin' && !(segments.length === 2 && segments[1] === 'open')
          expect([name, text, isForbidden]).toEqual([name, text, false])
        }
      }),
      { numRuns: 50_000 },
    )
    expect(allowed).toBeGreaterThan(50)
  })
})

describe('the router', () => {
  const { router } = createRouter(TEMPLATES.map((template) => [template, template]))
  it.each([
    [[], '/', {}],
    [['things', 'mine'], '/things/mine', {}],
    [['things', '7'], '/things/{id}', { id: '7' }],
    [['things', 'mine', 'parts', 'a/b'], '/things/{id}/parts/{part}', { id: 'mine', part: 'a/b' }],
    [['things', 'open'], '/things/{id}', { id: 'open' }],
    [['admin', 'a.json'], '/admin/{tool}.json', { tool: 'a' }],
    [['admin', 'open'], '/{area}/open', { area: 'admin' }],
  ])('finds %j', (segments, template, parameters) => {
    const found = router.find(segments)
    expect(found?.template).toBe(template)
    expect(Object.fromEntries(found?.parameters ?? [])).toEqual(parameters)
  })

  it.each([
    [['things']],
    [['things', '']],
    [['admin', '.json']],
    [['things', '7', '']],
    [['{area}', 'x']],
  ])('finds nothing for %j', (segments) => {
    expect(router.find(segments)).toBeUndefined()
  })

  it('calls parameters as their own path does, and tells pieces of a segment apart', () => {
    const { router: other } = createRouter(
      ['/a/{x}', '/a/{y}/b', '/f/{n}.{ext}', '/r/{from}..{to}'].map((one) => [one, one]),
    )
    const found = (...segments: string[]): unknown =>
      Object.fromEntries(other.find(segments)?.parameters ?? [])
    expect(found('a', '1')).toEqual({ x: '1' })
    expect(found('a', '1', 'b')).toEqual({ y: '1' })
    expect(found('f', 'a.tar.gz')).toEqual({ n: 'a', ext: 'tar.gz' })
    expect(found('r', '1..2')).toEqual({ from: '1', to: '2' })
  })
})
