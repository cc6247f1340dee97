import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { GeneralName, GeneralNames } from '@peculiar/asn1-x509'
import { encodeAsn } from './asn1.ts'
import { contextTag, DerError, itemsOf, type DerNode } from './der.ts'

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
  const generalNames = names.map((name) => {
    if (isIPv4(name)) return new GeneralName({ iPAddress: name })
    if (isIPv6(name)) return new GeneralName({ iPAddress: canonicalIPv6(name) })
    return new GeneralName({ dNSName: name })
  })
  return encodeAsn(new GeneralNames(generalNames))
}

/** True for a GeneralName that readAltNames reads. */
export function isAltNameKind({ tag }: DerNode): boolean {
  return tag === IP_ADDRESS || tag === DNS_NAME
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

/** The library reads neither zones nor dotted tails; the URL parser writes hexadecimal groups only. */
function canonicalIPv6(address: string): string {
  return new URL(`http://[${address.replace(/%.*/, '')}]/`).hostname.slice(1, -1)
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new DerError('an IP address has neither 4 nor 16 bytes')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
