import { Time } from '@peculiar/asn1-x509'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeAsn } from '../../pki/asn1.ts'
import { DerError, fieldsOf, itemsOf, parseDer, TAG } from '../../pki/der.ts'
import {
  readIntegerBytes,
  readNamedBits,
  readOid,
  readSmallInteger,
  readText,
  readTime,
} from '../../pki/der-values.ts'
import { encode, integer, octetString, oid, sequence, setOf } from '../../pki/der-writer.ts'
import { outcomeOf } from './support.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const utf8 = (text: string): Buffer => encode(TAG.utf8String, Buffer.from(text))

describe('der', () => {
  it.each([
    ['an indefinite length', '30 80 05 00 00 00'],
    ['a length padded with the long form', '04 81 01 00'],
    ['a length padded with a zero', '04 82 00 80'],
    ['a length beyond the input', '04 02 00'],
    ['a length beyond the value around it', '30 03 04 02 00 00'],
    ['a length of eight octets', '04 88 00 00 00 00 00 00 00 01 00'],
    ['bytes behind the value', '05 00 00'],
    ['no bytes at all', ''],
    ['a tag without a length', '30'],
    ['a tag of several octets', '1f 85 00 00'],
    ['an empty integer', '02 00'],
    ['an integer padded with a zero', '02 02 00 7f'],
    ['a negative integer padded with ones', '02 02 ff 80'],
    ['a boolean that is neither 00 nor FF', '01 01 01'],
    ['a boolean of two octets', '01 02 ff ff'],
    ['a NULL with content', '05 01 00'],
    ['an octet string in parts', '24 04 04 02 00 00'],
    ['a sequence in primitive form', '10 00'],
  ])('refuses %s', (_what, bytes) => {
    expect(() => parseDer(hex(bytes))).toThrow(DerError)
  })

  it('refuses more levels than a stack would bear', () => {
    let nested: Buffer = Buffer.alloc(0)
    for (let i = 0; i < 5_000; i += 1) nested = sequence(nested)
    expect(() => parseDer(nested)).toThrow(DerError)
  })

  it('refuses more values than a message of ours has', () => {
    expect(() => parseDer(sequence(Buffer.alloc(200_000, Buffer.of(5, 0))))).toThrow(DerError)
    expect(() => parseDer(octetString(Buffer.alloc(600_000)))).toThrow(DerError)
  })

  it('comes to a value or a DerError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        outcomeOf(() => parseDer(bytes))
      }),
      { numRuns: 500 },
    )
  })

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), fc.string({ unit: 'grapheme' }), (number, text) => {
        const fields = fieldsOf(parseDer(sequence(integer(number), utf8(text))))
        expect(readSmallInteger(fields.next())).toBe(number)
        expect(readText(fields.next())).toBe(text)
        fields.end()
      }),
      { numRuns: 200 },
    )
  })

  it.each([[0], [127], [128], [255], [256], [70_000]])('writes the length of %i bytes', (size) => {
    expect(parseDer(octetString(Buffer.alloc(size))).content.length).toBe(size)
  })

  it.each([
    ['00', '020100'],
    ['007f', '02017f'],
    ['80', '02020080'],
    ['ffffffffffffffffffffffffffffffff', '021100ffffffffffffffffffffffffffffffff'],
  ])('writes the unsigned integer %s in its shortest form', (bytes, encoded) => {
    expect(integer(hex(bytes)).toString('hex')).toBe(encoded)
    expect(readIntegerBytes(parseDer(hex(encoded))).toString('hex')).toBe(encoded.slice(4))
  })

  it.each(['2.5.4.3', '1.2.840.113549.1.1.11', '0.9.2342.19200300.100.1.1', '2.999.1', '1.39'])(
    'reads and writes the object identifier %s',
    (dotted) => {
      expect(readOid(parseDer(oid(dotted)))).toBe(dotted)
    },
  )

  it.each(['06 00', '06 01 80', '06 02 2a 80', '06 03 2a 80 01'])(
    'refuses the object identifier %s',
    (bytes) => {
      expect(() => readOid(parseDer(hex(bytes)))).toThrow(DerError)
    },
  )

  it('writes times before 2050 as UTCTime and later ones as GeneralizedTime', () => {
    const time = (iso: string): Buffer => encodeAsn(new Time(new Date(iso)))
    expect(time('2049-12-31T23:59:59Z')[0]).toBe(TAG.utcTime)
    expect(time('2050-01-01T00:00:00Z')[0]).toBe(TAG.generalizedTime)
    for (const iso of [
      '1999-01-02T03:04:05.000Z',
      '2049-12-31T23:59:59.000Z',
      '2050-01-01T00:00:00.000Z',
    ]) {
      expect(readTime(parseDer(time(iso))).toISOString()).toBe(iso)
    }
    const generalized = encode(TAG.generalizedTime, Buffer.from('20260101000000Z'))
    expect(readTime(parseDer(generalized)).toISOString()).toBe('2026-01-01T00:00:00.000Z')
  })

  it.each(['260230000000Z', '2601010000Z', '260101000000+0700', '260101250000Z', '26O101000000Z'])(
    'refuses the time %s',
    (text) => {
      const encoded = Buffer.concat([Buffer.of(TAG.utcTime, text.length), Buffer.from(text)])
      expect(() => readTime(parseDer(encoded))).toThrow(DerError)
    },
  )

  it('reads lists of bits and refuses padded ones', () => {
    expect(readNamedBits(parseDer(hex('03 02 06 c0')))).toEqual([0, 1])
    expect(readNamedBits(parseDer(hex('03 03 07 06 80')))).toEqual([5, 6, 8])
    expect(() => readNamedBits(parseDer(hex('03 02 00 80')))).toThrow(DerError)
    expect(() => readNamedBits(parseDer(hex('03 02 08 80')))).toThrow(DerError)
  })

  it.each([
    ['80 00', 'encoding.malformed'],
    ['80 02 00 01', 'encoding.not-minimal'],
    ['80 01 ff', 'encoding.malformed'],
  ])('refuses the integer %s under a tag of its own', (text, code) => {
    const node = parseDer(hex(text))
    expect(() => readSmallInteger(node, 0x80)).toThrow(expect.objectContaining({ code }))
  })

  it('sorts a set and keeps the order of a sequence', () => {
    const isTrue = encode(TAG.boolean, Buffer.of(0xff))
    const items = itemsOf(parseDer(setOf(utf8('b'), isTrue, utf8('a'))), TAG.set)
    expect(items.map(({ content }) => content.toString('latin1'))).toEqual(['\u00ff', 'a', 'b'])
  })

  it('refuses text that is not in its declared encoding', () => {
    expect(() => readText(parseDer(hex('0c 02 c3 28')))).toThrow(DerError)
    expect(() => readText(parseDer(hex('13 01 e9')))).toThrow(DerError)
    expect(() => readText(parseDer(hex('1e 01 00')))).toThrow(DerError)
  })
})
