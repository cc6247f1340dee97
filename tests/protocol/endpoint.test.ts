import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, coversAnyPath } from '../../protocol/endpoint.ts'
import type { Endpoint } from '../../protocol/snapshot.ts'
import { parseTarget } from '../../protocol/target.ts'
import { outcome, readVectors } from './support.ts'

interface Vector {
  readonly comment: string
  readonly endpoints: Endpoint[]
  readonly method: string
  readonly servicePath: string
  readonly covers?: boolean
  readonly code?: string
}
const SERVICE = '/r1/EE/GOV/70000310/population/person'
const names = fc.constantFrom('a', 'b', 'c d', 'ក', '100%', '...')
const pieces = fc.constantFrom(
  ...['/', '\\', ';', '%2e', '%2f', '%5C', '%3b', '%25', '2e', '2f', 'a', '.'],
)

describe('covers', () => {
  it.each(readVectors<Vector[]>('endpoint'))('$comment', (vector) => {
    const { endpoints, method, servicePath, code } = vector
    expect(outcome(() => covers(endpoints, method, servicePath))).toEqual(
      code === undefined ? { value: vector.covers } : { code },
    )
  })

  it('covers a path by the pattern that is the path, and by each with stars in it', () => {
    fc.assert(
      fc.property(
        fc.array(names, { minLength: 1, maxLength: 5 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        fc.nat(4),
        (segments, stars, cut) => {
          const path = `/${segments.map(encodeURIComponent).join('/')}`
          const starred = segments.map((segment, i) => (stars[i] ? '*' : segment))
          const isCovered = (parts: string[]): boolean =>
            covers([{ method: 'GET', path: `/${parts.join('/')}` }], 'GET', path)
          expect(isCovered(starred)).toBe(true)
          expect(isCovered([...starred.slice(0, cut), '**'])).toBe(true)
          expect(isCovered([...starred, 'a'])).toBe(false)
          expect(isCovered([...starred.slice(0, -1), 'none of the names'])).toBe(false)
        },
      ),
    )
  })

  it('lets no path through a limited endpoint that decoding again would lead elsewhere', () => {
    const endpoints = [{ method: '*', path: '/a/**' }]
    fc.assert(
      fc.property(fc.string({ unit: pieces }), (text) => {
        const target = outcome(() => parseTarget(`${SERVICE}/a/${text}`))
        if ('code' in target) return
        const { servicePath } = target.value
        const result = outcome(() => covers(endpoints, 'GET', servicePath))
        if ('code' in result) {
          expect(result.code).toBe('access.path-ambiguous')
          return
        }
        const segments = segmentsSeen(servicePath)
        expect(segments).not.toContain('..')
        expect(segments.slice(0, -1)).not.toContain('')
      }),
      { numRuns: 5000 },
    )
  })

  it('knows an endpoint for every path', () => {
    const endpoints = [{ method: 'GET', path: '/**' }]
    expect(coversAnyPath(endpoints, 'GET')).toBe(true)
    expect(coversAnyPath(endpoints, 'POST')).toBe(false)
    expect(coversAnyPath([{ method: '*', path: '/*' }], 'POST')).toBe(false)
  })
})

/** Segments as a service sees them that decodes until nothing changes and cuts at `;`. */
function segmentsSeen(path: string): string[] {
  let text = path
  for (let before = ''; before !== text;) {
    before = text
    text = text.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
      String.fromCharCode(parseInt(hex, 16)),
    )
  }
  return text
    .slice(1)
    .split(/[/\\]/)
    .map((segment) => segment.split(';', 1)[0]!)
}
