import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { contextTag, DerError, itemsOf, type DerNode } from './der.ts'
import { sequence, taggedPrimitive } from './der-writer.ts'

const DNS_NAME = contextTag(2, 'primitive')
const IP_ADDRESS = contextTag(7, 'primitive')

/** A host name in LDH form, with at most one wildcard label in front. */
const HOST =
  /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i

/** True for what encodeAltNames takes: a DNS name (an internationalised one as A-label) or an IP address. */
export function isAltName(name: string): boolean {
  return isIPv4(name) || isIPv6(name) || (name.length <= 253 && HOST.test(name))
}

/** GeneralNames (RFC 5280 §4.2.1.6) of DNS names and IP addresses in text form. */
export function encodeAltNames(names: readonly string[]): Buffer {
  return sequence(
    ...names.map((name) => {
      const address = isIPv4(name) ? ipv4Bytes(name) : isIPv6(name) ? ipv6Bytes(name) : undefined
      return address === undefined
        ? taggedPrimitive(2, Buffer.from(name, 'latin1'))
        : taggedPrimitive(7, address)
    }),
  )
}

/** DNS names and IP addresses; names of other kinds are passed over. @throws DerError */
export function readAltNames(node: DerNode): string[] {
  return itemsOf(node).flatMap(({ tag, content }) => {
    if (tag === IP_ADDRESS) return formatAddress(content)
    if (tag !== DNS_NAME) return []
    if (content.some((octet) => octet < 0x21 || octet > 0x7e)) {
      throw new DerError('a DNS name is not printable ASCII')
    }
    return content.toString('latin1')
  })
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number))
}

function ipv6Bytes(address: string): Buffer {
  // The URL parser writes the canonical form: hexadecimal groups only, at most one '::'.
  const canonical = new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = groups(tail ?? '')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0)
  return Buffer.from([...before, ...zeros, ...after].flatMap((g) => [g >> 8, g & 0xff]))
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new DerError('an IP address has neither 4 nor 16 bytes')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
