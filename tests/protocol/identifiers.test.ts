import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkPart,
  encodeId,
  formatId,
  memberOf,
  parseClientId,
  parseGatewayId,
  parseRepresentedParty,
  parseServiceId,
  readClientId,
  readGatewayId,
  readServiceId,
  readSubsystemId,
  type ClientId,
  type GatewayId,
  type ServiceId,
} from '../../protocol/identifiers.ts'
import { expand, outcome, readVectors, type VectorText } from './support.ts'

interface Vector {
  readonly comment: string
  readonly input: VectorText
  readonly decoded?: VectorText
  readonly encoded?: VectorText
  readonly code?: string
}
const KINDS: [string, (text: string) => ClientId | ServiceId | GatewayId][] = [
  ['client-id', parseClientId],
  ['service-id', (text) => parseServiceId(text.split('/'))],
  ['gateway-id', parseGatewayId],
]

describe.each(KINDS)('%s.json', (name, parse) => {
  it.each(readVectors<Vector[]>(name))('$comment', ({ input, decoded, encoded, code }) => {
    const read = outcome(() => parse(expand(input)))
    if (decoded === undefined || encoded === undefined) return expect(read).toEqual({ code })
    const id = 'value' in read ? read.value : undefined
    expect(id && formatId(id)).toBe(expand(decoded))
    expect(id && encodeId(id)).toBe(expand(encoded))
  })
})

const letters = "abzABZ019áñßкឯស្ពាສະ𠀀'()+,-.=?_:@ ".split('')
const part = fc
  .string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 40 })
  .map((text) => text.normalize('NFC').trim())
  .filter((text) => 'value' in outcome(() => checkPart(text)))
const parts = (count: number) => fc.array(part, { minLength: count, maxLength: count })

describe('identifiers', () => {
  it('come back from their encoded and from their decoded form', () => {
    fc.assert(
      fc.property(fc.oneof(parts(3), parts(4)), (given) => {
        const id = readClientId(given.join('/'))
        expect(parseClientId(encodeId(id))).toEqual(id)
        expect(formatId(id)).toBe(given.join('/'))
        expect(encodeId(id)).toMatch(/^[\x21-\x7e]+$/)
      }),
    )
    fc.assert(
      fc.property(parts(5), (given) => {
        const id = readServiceId(given.join('/'))
        expect(parseServiceId(encodeId(id).split('/'))).toEqual(id)
        expect(memberOf(id)).toBe(given.slice(0, 3).join('/'))
      }),
    )
    fc.assert(
      fc.property(parts(4), (given) => {
        const id = readGatewayId(given.join('/'))
        expect(parseGatewayId(encodeId(id))).toEqual(id)
      }),
    )
  })

  it('are equal exactly when their decoded forms are', () => {
    fc.assert(
      fc.property(parts(4), parts(4), (a, b) => {
        expect(formatId(readClientId(a.join('/'))) === formatId(readClientId(b.join('/')))).toBe(
          a.every((text, i) => text === b[i]),
        )
      }),
    )
  })

  it('of any other text are refused by code and never crash a parser', () => {
    const parsers = [
      parseClientId,
      readClientId,
      readSubsystemId,
      readServiceId,
      parseGatewayId,
      readGatewayId,
      parseRepresentedParty,
      checkPart,
      (text: string) => parseServiceId(text.split('/')),
    ]
    const hostile = fc.string({
      unit: fc.oneof(fc.constantFrom('/', '%', '.', '..', '%2F', '\ud800', 'a'), fc.string()),
    })
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), hostile), (text) => {
        for (const parse of parsers) {
          const result = outcome(() => parse(text))
          if ('code' in result) expect(result.code).toBe('request.identifier-invalid')
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('never hold a part that a path or another reading could take apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const result = outcome(() => checkPart(text))
        if ('code' in result) return
        expect(text).not.toMatch(/[/\\%;#\p{C}]|^\.|^ | $/u)
        expect(text.normalize('NFC')).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })

  it('of a subsystem have four parts', () => {
    expect(readSubsystemId('EE/GOV/TAX/portal')).toMatchObject({ subsystem: 'portal' })
    expect(outcome(() => readSubsystemId('EE/GOV/TAX'))).toEqual({
      code: 'request.identifier-invalid',
    })
  })

  it('of a represented party have one or two parts', () => {
    expect(parseRepresentedParty('COM/%E1%9E%80')).toBe('COM/ក')
    expect(parseRepresentedParty('12345')).toBe('12345')
    for (const text of ['', 'a/b/c', 'a%2Fb', 'a/']) {
      expect(outcome(() => parseRepresentedParty(text))).toEqual({
        code: 'request.identifier-invalid',
      })
    }
  })
})
