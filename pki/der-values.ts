/** Readers of the primitive types of DER; each throws DerError for anything but that type. */
import { checkInteger, DerError, expectTag, TAG, type DerNode } from './der.ts'

export function readBoolean(node: DerNode): boolean {
  expectTag(node, TAG.boolean)
  return node.content[0] === 0xff
}

/** Content of an INTEGER as it stands: two's complement, minimal. */
export function readIntegerBytes(node: DerNode): Buffer {
  expectTag(node, TAG.integer)
  return node.content
}

/** An INTEGER or ENUMERATED from 0 to 2^31 - 1, under an implicit tag as well. */
export function readSmallInteger(node: DerNode, tag: number = TAG.integer): number {
  expectTag(node, tag)
  checkInteger(node.content)
  if (node.content.length > 4 || node.content[0]! >= 0x80) {
    throw new DerError('an integer is out of range')
  }
  return node.content.readUIntBE(0, node.content.length)
}

export function readOctetString(node: DerNode): Buffer {
  expectTag(node, TAG.octetString)
  return node.content
}

/** Bytes of a BIT STRING that holds whole octets: a key or a signature. */
export function readBitStringBytes(node: DerNode): Buffer {
  expectTag(node, TAG.bitString)
  if (node.content[0] !== 0) throw new DerError('a bit string is not made of whole octets')
  return node.content.subarray(1)
}

/** Numbers of the bits that are set in a named bit list. */
export function readNamedBits(node: DerNode): number[] {
  expectTag(node, TAG.bitString)
  const [unused, ...octets] = node.content
  const last = octets.at(-1)
  const isMinimal =
    unused !== undefined &&
    unused <= 7 &&
    // The last bit is set, and what is unused is zero (X.690 §11.2).
    (last === undefined ? unused === 0 : ((last >> unused) & 1) === 1 && last % (1 << unused) === 0)
  if (!isMinimal || octets.length > 4) throw new DerError('a list of bits is not minimal')
  return octets.flatMap((octet, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => octet & (0x80 >> bit)).map((bit) => i * 8 + bit),
  )
}

const MAX_OID_BYTES = 64

/** Dotted decimal form. */
export function readOid(node: DerNode): string {
  expectTag(node, TAG.oid)
  const { content } = node
  if (content.length === 0 || content.length > MAX_OID_BYTES || content.at(-1)! >= 0x80) {
    throw new DerError('an object identifier is cut off or too long')
  }
  const arcs: bigint[] = []
  let arc = 0n
  let isStart = true
  for (const octet of content) {
    if (isStart && octet === 0x80) throw new DerError('an object identifier is padded')
    arc = (arc << 7n) | BigInt(octet & 0x7f)
    isStart = octet < 0x80
    if (!isStart) continue
    arcs.push(arc)
    arc = 0n
  }
  const [joined = 0n, ...rest] = arcs
  const root = joined < 40n ? 0n : joined < 80n ? 1n : 2n // X.690 §8.19.4
  return [root, joined - root * 40n, ...rest].join('.')
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of a DirectoryString or IA5String; undefined for a type that is none of them. */
export function readText({ tag, content }: DerNode): string | undefined {
  switch (tag) {
    case TAG.utf8String:
      try {
        return utf8.decode(content)
      } catch (cause) {
        throw new DerError('a text is not UTF-8', { cause })
      }
    case TAG.printableString:
    case TAG.ia5String:
      if (content.some((octet) => octet >= 0x80)) throw new DerError('a text is not ASCII')
      return content.toString('latin1')
    case TAG.teletexString:
      return content.toString('latin1')
    case TAG.bmpString:
      if (content.length % 2 !== 0) throw new DerError('a text is cut off')
      return Buffer.from(content).swap16().toString('utf16le')
    default:
      return undefined
  }
}

/** A Time as RFC 5280 §4.1.2.5 has it: UTC, with seconds, without fractions. */
export function readTime(node: DerNode): Date {
  if (node.tag !== TAG.utcTime) return readGeneralizedTime(node)
  const text = node.content.toString('latin1')
  // RFC 5280 §4.1.2.5.1: two digits from 50 on are the twentieth century
  return toDate(text, `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`, 13)
}

export function readGeneralizedTime(node: DerNode): Date {
  expectTag(node, TAG.generalizedTime)
  const text = node.content.toString('latin1')
  return toDate(text, text, 15)
}

function toDate(text: string, full: string, length: number): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (parts === null || text.length !== length) {
    throw new DerError('a time is not in UTC with seconds')
  }
  const [, year, month, day, hour, minute, second] = parts
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const date = new Date(iso)
  // Date rolls 30 February over to March; the text it gives back tells.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) {
    throw new DerError('a time names a day or an hour that does not exist')
  }
  return date
}
