/** The library's ASN.1 codec, held to DER where it leaves something open (docs/decisions/0010-pki-encoding.md). */
import {
  AsnConvert,
  AsnIntegerBigIntConverter,
  AsnNullConverter,
  OctetString,
} from '@peculiar/asn1-schema'
import { Extension } from '@peculiar/asn1-x509'
import { DerError, parseDer } from './der.ts'

/** DER of a value of one of the library's classes. Sets stand in the order given, see {@link sortedSet}. */
export function encodeAsn(value: object): Buffer {
  return Buffer.from(AsnConvert.serialize(value))
}

/**
 * Reads a value of one of the library's classes. Our own reader goes first, because the library takes BER; and
 * what was read must encode to the same bytes, because the library passes over fields it does not know.
 *
 * @throws DerError
 */
export function decodeAsn<T extends object>(der: Uint8Array, type: new () => T): T {
  parseDer(der)
  let value: T
  try {
    value = AsnConvert.parse(toArrayBuffer(der), type)
  } catch (cause) {
    throw new DerError('the value is not of the structure it should be', { cause })
  }
  if (!encodeAsn(value).equals(der)) throw new DerError('the value holds more than its structure')
  return value
}

/** A copy, as the library wants bytes. */
export function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

/** Content of a positive INTEGER (X.690 §8.3.2) from the bytes of an unsigned one. */
export function unsignedInteger(bytes: Uint8Array): ArrayBuffer {
  const start = bytes.findIndex((octet) => octet !== 0)
  const minimal = start < 0 ? Buffer.of(0) : Buffer.from(bytes.subarray(start))
  return toArrayBuffer(minimal[0]! < 0x80 ? minimal : Buffer.concat([Buffer.of(0), minimal]))
}

/** DER of an INTEGER of any size. */
export function encodeInteger(value: number | bigint): Buffer {
  return encodeAsn(AsnIntegerBigIntConverter.toASN(BigInt(value)))
}

export function encodeNull(): Buffer {
  return encodeAsn(AsnNullConverter.toASN(null))
}

export function encodeOctetString(bytes: Uint8Array): Buffer {
  return encodeAsn(new OctetString(toArrayBuffer(bytes)).toASN())
}

/** The instant without its fraction, which RFC 5280 §4.1.2.5.2 forbids and the library would write. */
export function wholeSeconds(at: Date): Date {
  return new Date(Math.floor(at.getTime() / 1000) * 1000)
}

/** The elements of a SET OF in the order of DER (X.690 §11.6), which the library does not make. */
export function sortedSet(elements: readonly Uint8Array[]): ArrayBuffer[] {
  return elements.toSorted((a, b) => Buffer.compare(a, b)).map(toArrayBuffer)
}

/** One Extension (RFC 5280 §4.1). @param value DER, or a value of one of the library's classes. */
export function extension(id: string, value: object, critical?: 'critical'): Extension {
  const der = value instanceof Uint8Array ? value : encodeAsn(value)
  return new Extension({
    extnID: id,
    critical: critical === 'critical',
    extnValue: new OctetString(toArrayBuffer(der)),
  })
}
