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

export const nullValue = (): Buffer => encode(TAG.null)

/** @param value a number from 0 on, or the bytes of an unsigned integer of any length. */
export function integer(value: number | Uint8Array): Buffer {
  const hex = typeof value === 'number' ? value.toString(16) : Buffer.from(value).toString('hex')
  const digits = hex.replace(/^0+/, '')
  const even = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
  const needsSign = even.length === 0 || even[0]! >= 0x80
  return encode(TAG.integer, needsSign ? Buffer.concat([Buffer.of(0), even]) : even)
}

export const octetString = (bytes: Uint8Array): Buffer => encode(TAG.octetString, bytes)

export const bitString = (bytes: Uint8Array): Buffer => encode(TAG.bitString, Buffer.of(0), bytes)

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

/** An explicit tag around values, or an implicit one on a constructed type. */
export const tagged = (number: number, ...items: readonly Uint8Array[]): Buffer =>
  encode(contextTag(number, 'constructed'), ...items)
