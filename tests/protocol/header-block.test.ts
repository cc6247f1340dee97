import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  headerBlock,
  headerBlockDigest,
  singleValue,
  toRawHeaders,
  valuesOf,
  withHeaders,
} from '../../protocol/header-block.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { expand, outcome, protocolText, readVectors, type VectorText } from './support.ts'

interface Line {
  readonly name: string
  readonly value: VectorText
}
interface Vector {
  readonly comment: string
  readonly headers: Line[]
  readonly block?: Line[]
  readonly digest?: string
  readonly code?: string
}
const lines = (given: readonly Line[]): [string, string][] =>
  given.map(({ name, value }) => [name, expand(value)])

const token = fc.constantFrom(
  ...['accept', 'X-Tag', 'x-tag', 'Connection', 'HOST', 'spean-manifest', 'Spean-Purpose'],
  ...['__proto__', 'constructor', 'x-road-client', 'x~', 'x-1'],
)
const value = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom('x-tag', 'close, X-TAG', 'accept,x~', '\u00ff\u00c3'),
)
const headers = fc.array(fc.tuple(token, value), { maxLength: 12 }).map((pairs) => pairs.flat())

describe('headerBlock', () => {
  it.each(readVectors<Vector[]>('header-block'))('$comment', (vector) => {
    const { block, digest, code } = vector
    const result = outcome(() => headerBlock(lines(vector.headers).flat()))
    if (block === undefined) return expect(result).toEqual({ code })
    expect(result).toEqual({ value: lines(block) })
    if ('value' in result) expect(headerBlockDigest(result.value)).toBe(digest)
  })

  it('says in the text of the protocol what the first vector says', () => {
    const [example] = readVectors<Vector[]>('header-block')
    for (const [name, text] of lines(example!.block!)) {
      expect(protocolText()).toContain(`${name}:${text}`)
    }
    expect(protocolText()).toContain(example!.digest)
  })

  it('is the same for a receiver of what it sends, under whatever order of names', () => {
    fc.assert(
      fc.property(headers, (raw) => {
        const block = headerBlock(raw)
        const named = raw.some((name, i) => i % 2 === 0 && name === 'Connection')
        if (!named) expect(headerBlock(toRawHeaders(block))).toEqual(block)
        expect(headerBlock([...toRawHeaders(block), 'Spean-Manifest', 'x', 'Host', 'y'])).toEqual(
          headerBlock(toRawHeaders(block)),
        )
      }),
    )
  })

  it('is sorted, lower case and without what never crosses', () => {
    fc.assert(
      fc.property(headers, (raw) => {
        const names = headerBlock(raw).map(([name]) => name)
        expect(names).toEqual(
          names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        )
        for (const name of names) {
          expect(name).toBe(name.toLowerCase())
          expect(['connection', 'host', 'spean-manifest']).not.toContain(name)
        }
      }),
    )
  })

  it('has a digest that any bit of it changes', () => {
    const block = headerBlock(['A', '1', 'B', '2'])
    const digest = createHash('sha256').update('a:1\nb:2\n').digest('base64url')
    expect(headerBlockDigest(block)).toBe(digest)
    for (const other of [
      ['A', '1'],
      ['A', '12', 'B', '2'],
      ['A', '2', 'B', '1'],
      ['AB', '12'],
    ]) {
      expect(headerBlockDigest(headerBlock(other))).not.toBe(digest)
    }
  })

  it('leaves out further names when told to', () => {
    const dropped = new Set(['x-road-request-id'])
    expect(headerBlock(['X-Road-Request-Id', '1', 'A', '2'], dropped)).toEqual([['a', '2']])
  })

  it('takes no more than the limit in many short lines', () => {
    const many = (count: number): string[] => Array.from({ length: count * 2 }, () => 'ab')
    const fitting = Math.floor(LIMITS.headerBlockBytes / 6)
    expect(headerBlock(many(fitting))).toHaveLength(fitting)
    expect(outcome(() => headerBlock(many(fitting + 1)))).toEqual({
      code: 'request.headers-too-large',
    })
  })
})

describe('withHeaders', () => {
  it('replaces every line of the names it adds and keeps the order', () => {
    const block = headerBlock(['X-Road-Id', 'a', 'X-Road-Id', 'b', 'Z', '1', 'A', '2'])
    expect(withHeaders(block, [['x-road-id', 'c']])).toEqual([
      ['a', '2'],
      ['x-road-id', 'c'],
      ['z', '1'],
    ])
  })

  it('keeps to the limit', () => {
    const block = headerBlock(['a', 'v'.repeat(LIMITS.headerBlockBytes - 3)])
    expect(outcome(() => withHeaders(block, [['b', '']]))).toEqual({
      code: 'request.headers-too-large',
    })
  })
})

describe('values of a block', () => {
  const block = headerBlock(['X-Tag', 'b', 'x-tag', 'a', 'Accept', '*/*'])

  it('come in the order of arrival', () => {
    expect(valuesOf(block, 'x-tag')).toEqual(['b', 'a'])
  })

  it('are refused where one is asked for and two stand', () => {
    expect(singleValue(block, 'accept')).toBe('*/*')
    expect(singleValue(block, 'absent')).toBeUndefined()
    expect(outcome(() => singleValue(block, 'x-tag'))).toEqual({ code: 'request.header-repeated' })
  })
})
