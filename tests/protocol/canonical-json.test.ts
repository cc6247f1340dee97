import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { readVectors } from './support.ts'

interface Vector {
  readonly comment: string
  readonly json: string
  readonly canonical: string | null
}

describe('canonicalJson', () => {
  it.each(readVectors<Vector[]>('canonical-json'))('$comment', ({ json, canonical }) => {
    const write = (): string => canonicalJson(JSON.parse(json))
    if (canonical === null) expect(write).toThrow(TypeError)
    else expect(write()).toBe(canonical)
  })

  const text = fc.string({ unit: 'grapheme' })
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('any')),
      fc.dictionary(fc.oneof(text, fc.constantFrom('__proto__', '10', '9')), tie('any')),
    ),
  })).any

  it('writes what an independent reading of RFC 8785 writes', () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(canonicalJson(given)).toBe(independent(given))
      }),
    )
  })

  it('changes nothing but the spelling, and nothing the second time', () => {
    fc.assert(
      fc.property(value, (given) => {
        const once = canonicalJson(given)
        expect(JSON.parse(once)).toEqual(JSON.parse(JSON.stringify(given)))
        expect(canonicalJson(JSON.parse(once))).toBe(once)
      }),
    )
  })

  it('leaves out members that are undefined', () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}')
  })

  it.each([Number.NaN, Infinity, 0.1, 2 ** 53])('has no form for %d', (number) => {
    expect(() => canonicalJson({ number })).toThrow(TypeError)
  })
})

/** Sorts by the bytes of UTF-16 big endian and escapes by hand: nothing in common with the code. */
function independent(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return BigInt(value).toString()
  if (typeof value === 'string') return `"${Array.from(value, escaped).join('')}"`
  if (Array.isArray(value)) return `[${value.map(independent).join()}]`
  const names = Object.keys(value as object).sort((a, b) =>
    Buffer.compare(Buffer.from(a, 'utf16le').swap16(), Buffer.from(b, 'utf16le').swap16()),
  )
  const members = value as Record<string, unknown>
  return `{${names.map((name) => `${independent(name)}:${independent(members[name])}`).join()}}`
}

function escaped(character: string): string {
  const short: Record<string, string> = {
    '"': '\\"',
    '\\': '\\\\',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
  }
  if (short[character] !== undefined) return short[character]
  const code = character.codePointAt(0)!
  return code < 32 ? `\\u${code.toString(16).padStart(4, '0')}` : character
}
