import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, readJsonText } from '../../openapi/strict-json.ts'

const faultOf = (text: string | Buffer): string => {
  const reading = readJson(Buffer.from(text))
  return reading.ok ? 'none' : `${reading.fault} ${reading.pointer}`.trim()
}

describe('strict JSON', () => {
  it('gives what JSON.parse gives, for every value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const parsed: unknown = JSON.parse(text)
        const reading = readJsonText(text)
        // A double beyond 2^53 in plain digits is the one thing that is not taken.
        if (!reading.ok) expect(reading.fault).toBe('number')
        else expect(JSON.stringify(reading.value)).toBe(JSON.stringify(parsed))
      }),
      { numRuns: 1000 },
    )
  })

  it('takes nothing that JSON.parse does not take', () => {
    const noise = fc.string({
      unit: fc.constantFrom(...'{}[]",:\\0123.eE+-truefalsn \n\t\u0001'.split('')),
    })
    fc.assert(
      fc.property(noise, (text) => {
        if (readJsonText(text).ok) expect(() => JSON.parse(text) as unknown).not.toThrow()
      }),
      { numRuns: 5000 },
    )
  })

  it.each([
    ['a name twice', '{"a":1,"b":{"c":1,"c":2}}', 'duplicate /b/c'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":2}', 'duplicate /a'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'duplicate /__proto__'],
    ['an integer that a double does not hold', '{"n":9007199254740993}', 'number /n'],
    ['a number beyond all', '[1e400]', 'number /0'],
    ['a lone surrogate', '["\\ud800"]', 'unicode /0'],
    ['a comma too many', '[1,]', 'json /1'],
    ['a control character', '["\u0001"]', 'json /0'],
    ['a comment', '{} // x', 'json'],
    ['NaN', 'NaN', 'json'],
    ['a leading zero', '01', 'json'],
    ['an empty text', '', 'json'],
    ['a byte order mark', '\ufeff{}', 'json'],
  ])('refuses %s', (_, text, fault) => {
    expect(faultOf(text)).toBe(fault)
  })

  it('refuses what is not UTF-8, and UTF-16', () => {
    expect(faultOf(Buffer.from([0x22, 0xff, 0x22]))).toBe('utf8')
    expect(faultOf(Buffer.from([0x22, 0xc0, 0xaf, 0x22]))).toBe('utf8')
    expect(faultOf(Buffer.from('{}', 'utf16le'))).toBe('json')
  })

  it('goes 64 levels deep, and no deeper', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(faultOf(nested(64))).toBe('none')
    expect(faultOf(nested(65))).toMatch(/^depth/)
    expect(faultOf('['.repeat(1_000_000))).toMatch(/^depth/)
  })

  it('keeps __proto__ and constructor as names like others', () => {
    const reading = readJsonText('{"__proto__":{"admin":true},"constructor":1,"toString":2}')
    const value = (reading as { value: Record<string, unknown> }).value
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString'])
    expect(value.admin).toBeUndefined()
    expect(({} as Record<string, unknown>).admin).toBeUndefined()
  })

  it('takes the largest integers that are exact', () => {
    expect(faultOf('[9007199254740991,-9007199254740992,18014398509481984,1e22,0.1]')).toBe('none')
  })
})
