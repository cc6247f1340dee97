/** Writer of DER (ITU-T X.690 §8 to §11): each function returns one encoded value. */
import { contextTag, TAG } from './der.ts'

export function encode(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const length = content.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...encodeLength(length)]), ...content])
}

function encodeLength(length: number): number[] {
  if (length < 0x80) return [length]
  const octets = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256)
  return [0x80 | octets.length, ...octets]
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => encode(TAG.sequence, ...items)

/** A SET OF stands in the order of its encodings (X.690 §11.6). */
export const setOf = (...items: readonly Uint8Array[]): Buffer =>
  encode(TAG.set, ...items.toSorted((a, b) => Buffer.compare(a, b)))

export const boolean = (value: boolean): Buffer => encode(TAG.boolean, Buffer.of(value ? 0xff : 0))

export const nullValue = (): Buffer => encode(TAG.null)

/** @param value a number from 0 on, or the bytes of an unsigned integer of any length. */
export function integer(value: number | Uint8Array): Buffer {
  const hex = typeof value === 'number' ? value.toString(16) : Buffer.from(value).toString('hex')
  const digits = hex.replace(/^0+/, '')
  const even = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  const needsSign = even.length === 0 || even[0]! >= 0x80
  return encode(TAG.integer, needsSign ? Buffer.concat([Buffer.of(0), even]) : even)
}

/** @param value from 0 to 127. */
export const enumerated = (value: number): Buffer => encode(TAG.enumerated, Buffer.of(value))

export const octetString = (bytes: Uint8Array): Buffer => encode(TAG.octetString, bytes)

export const bitString = (bytes: Uint8Array): Buffer => encode(TAG.bitString, Buffer.of(0), bytes)

/** A named bit list: trailing zero bits are left out (X.690 §11.2.2). */
export function namedBits(bits: readonly number[]): Buffer {
  const highest = Math.max(...bits)
  const octets = Buffer.alloc((highest >> 3) + 1)
  for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7)
  return encode(TAG.bitString, Buffer.of(7 - (highest & 7)), octets)
}

/** @param dotted decimal form, with arcs below 2^53. */
export function oid(dotted: string): Buffer {
  const [root = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const octets = [root * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 | (left % 128))
    }
    return groups
  })
  return encode(TAG.oid, Buffer.from(octets))
}

export const utf8String = (text: string): Buffer => encode(TAG.utf8String, Buffer.from(text))

export const printableString = (text: string): Buffer =>
  encode(TAG.printableString, Buffer.from(text, 'latin1'))

/** UTCTime through 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5); seconds are cut. */
export function time(at: Date): Buffer {
  if (at.getUTCFullYear() >= 2050) return generalizedTime(at)
  return encode(TAG.utcTime, Buffer.from(digitsOf(at).slice(2)))
}

export const generalizedTime = (at: Date): Buffer =>
  encode(TAG.generalizedTime, Buffer.from(digitsOf(at)))

function digitsOf(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
}

/** An explicit tag around values, or an implicit one on a constructed type. */
export const tagged = (number: number, ...items: readonly Uint8Array[]): Buffer =>
  encode(contextTag(number, 'constructed'), ...items)

/** An implicit tag on a primitive type. */
export const taggedPrimitive = (number: number, content: Uint8Array): Buffer =>
  encode(contextTag(number, 'primitive'), content)
