import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatId } from '../../protocol/identifiers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { parseTarget } from '../../protocol/target.ts'
import { expand, outcome, readVectors, type VectorText } from './support.ts'

interface Vector {
  readonly comment: string
  readonly target: VectorText
  readonly service?: string
  readonly servicePath?: VectorText
  readonly query?: string
  readonly code?: string
}
const SERVICE = '/r1/EE/GOV/70000310/population/person'
const CODES = [
  'request.target-too-long',
  'request.path-invalid',
  'request.route-unknown',
  'request.version-unsupported',
  'request.identifier-invalid',
]
const pieces = fc.constantFrom(
  ...['/', '\\', '.', '..', ';', '?', '#', '%', '%2e', '%2E', '%2f', '%5C', '%3b', '%25', '%00'],
  ...['a', '%61', '%E1%9E%80', '%C3', '//', '/r1/', ' ', 'é'],
)
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: pieces }),
  fc.string({ unit: pieces }).map((text) => `${SERVICE}/${text}`),
  fc.string({ unit: pieces }).map((text) => SERVICE.replace('70000310', text)),
)

describe('parseTarget', () => {
  it.each(readVectors<Vector[]>('target'))('$comment', (vector) => {
    const raw = expand(vector.target)
    const { service, servicePath = '', query, code } = vector
    const result = outcome(() => parseTarget(raw))
    if (service === undefined) return expect(result).toEqual({ code })
    const target = 'value' in result ? result.value : undefined
    expect(target && { ...target, service: formatId(target.service) }).toEqual({
      raw,
      service,
      servicePath: expand(servicePath),
      query,
    })
  })

  it('refuses whatever it refuses with one of its codes', () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const result = outcome(() => parseTarget(raw))
        if ('code' in result) expect(CODES).toContain(result.code)
      }),
      { numRuns: 3000 },
    )
  })

  it('accepts no path in which a service could find a dot segment', () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const result = outcome(() => parseTarget(raw))
        if ('code' in result) return
        const path = decodeURIComponent(raw.split('?', 1)[0]!)
        const seen = path.split(/[/\\]/).map((segment) => segment.split(';', 1)[0])
        expect(seen).not.toContain('..')
        expect(seen).not.toContain('.')
        expect(path).not.toMatch(/\p{Cc}/u)
      }),
      { numRuns: 3000 },
    )
  })

  it('keeps the bytes that were sent', () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const result = outcome(() => parseTarget(raw))
        if ('code' in result) return
        const { value } = result
        expect(value.raw).toBe(raw)
        expect(raw.endsWith(`${value.servicePath}${value.query}`)).toBe(true)
        expect(raw.length).toBeLessThanOrEqual(LIMITS.targetBytes)
      }),
    )
  })
})
