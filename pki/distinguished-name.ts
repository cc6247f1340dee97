import {
  AttributeTypeAndValue,
  AttributeValue,
  Name,
  RelativeDistinguishedName,
} from '@peculiar/asn1-x509'
import { encodeAsn } from './asn1.ts'
import { fieldsOf, itemsOf, TAG, type DerNode } from './der.ts'
import { readOid, readText } from './der-values.ts'
import { ATTRIBUTE_NAMES, OID } from './oids.ts'

/** One attribute of a Name (RFC 5280 §4.1.2.4). */
export interface NameAttribute {
  /** Object identifier of the attribute type. */
  readonly type: string
  readonly value: string
}

/** Encodes a Name of single-valued RDNs in the given order, as UTF8String: any script fits. */
export function encodeName(attributes: readonly NameAttribute[]): Buffer {
  const rdns = attributes.map(({ type, value }) => {
    const attribute = new AttributeTypeAndValue({ type, value: attributeValue(type, value) })
    return new RelativeDistinguishedName([attribute])
  })
  return encodeAsn(new Name(rdns))
}

function attributeValue(type: string, value: string): AttributeValue {
  // X520SerialNumber is a PrintableString (RFC 5280 appendix A.1); a code in another script is not.
  const isPrintable = type === OID.serialNumber && /^[A-Za-z0-9 '()+,./:=?-]+$/.test(value)
  return new AttributeValue(isPrintable ? { printableString: value } : { utf8String: value })
}

interface ReadAttribute {
  readonly type: string
  /** Undefined when the value is not a text. */
  readonly text: string | undefined
  readonly encoded: Buffer
}

/** RDNs of a Name in their order. @throws DerError */
export function readName(name: DerNode): ReadAttribute[][] {
  return itemsOf(name).map((rdn) =>
    itemsOf(rdn, TAG.set).map((attribute) => {
      const fields = fieldsOf(attribute)
      const type = readOid(fields.next(TAG.oid))
      const value = fields.next()
      fields.end()
      return { type, text: readText(value), encoded: value.encoded }
    }),
  )
}

/**
 * Text of a name (RFC 4514): one line, last RDN first, letters of every script as they are.
 *
 * @throws DerError
 */
export function formatName(name: DerNode): string {
  return readName(name)
    .toReversed()
    .map((rdn) => rdn.map(formatAttribute).join('+'))
    .join(',')
}

function formatAttribute({ type, text, encoded }: ReadAttribute): string {
  const keyword = ATTRIBUTE_NAMES.get(type)
  // RFC 4514 §2.4: what has no text form, or no short name, is written as the hex of its encoding
  if (keyword === undefined || text === undefined) {
    return `${keyword ?? type}=#${encoded.toString('hex')}`
  }
  return `${keyword}=${escapeValue(text)}`
}

/** Control characters and bidirectional overrides would let a name look like another line of a log. */
const UNREADABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]/gu

function escapeValue(text: string): string {
  return text
    .replace(/[",+;<>\\]|^[ #]|(?<=.) $/g, '\\$&')
    .replace(UNREADABLE, (character) =>
      Buffer.from(character).toString('hex').replace(/../g, '\\$&'),
    )
}
