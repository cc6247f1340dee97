/**
 * Writing by the ASN.1 schemas of a library. What strangers sent is read by the strict reader of der.ts instead: the
 * library takes BER, does not compare the class of a tag, and has no text for identifiers with arcs over 64 bits.
 */
import { AsnConvert } from '@peculiar/asn1-schema'

export function encodeAsn1(value: object): Buffer {
  return Buffer.from(AsnConvert.serialize(value))
}

export function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
