import { createHash } from 'node:crypto'
import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'

/** One header line: name in lower case, value as on the wire (one character for each byte). */
export type HeaderLine = readonly [name: string, value: string]
/** The header lines of a message that are forwarded and signed, in canonical order. */
export type HeaderBlock = readonly HeaderLine[]

/** Never cross a gateway: hop-by-hop (RFC 9110 §7.6.1) and the ones X-Road filters (PR-REST §4.3). */
const FILTERED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
])
/** Ours between gateways; a value from an information system is dropped. */
const RESERVED_PREFIX = 'spean-'
/** The one Spean header that information systems send. */
export const PURPOSE_HEADER = 'spean-purpose'
/** Where an exchange is not what the description says; set by the provider's gateway (protocol/README.md §14). */
export const FINDINGS_HEADER = 'spean-findings'
const NOT_RESERVED = [PURPOSE_HEADER, FINDINGS_HEADER]

/**
 * Makes the canonical header block of a message: filtered, lower case, sorted by name, lines of one
 * name in the order of arrival (protocol/README.md §4).
 *
 * @param rawHeaders names and values in turn, as `node:http` gives them: set by the peer, unchecked.
 * @param dropped further names to leave out, in lower case.
 * @throws ExchangeError `request.headers-too-large`.
 */
export function headerBlock(
  rawHeaders: readonly string[],
  dropped: ReadonlySet<string> = new Set(),
): HeaderBlock {
  const lines: HeaderLine[] = []
  const named = connectionOptions(rawHeaders)
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const reserved = name.startsWith(RESERVED_PREFIX) && !NOT_RESERVED.includes(name)
    if (
      FILTERED.has(name) ||
      reserved ||
      isDisguised(name) ||
      named?.has(name) ||
      dropped.has(name)
    )
      continue
    lines.push([name, rawHeaders[i + 1]!])
  }
  return canonical(lines)
}

/** `x_road_userid`: to many servers (CGI, RFC 3875 §4.1.18) the same as a header that was signed. */
function isDisguised(name: string): boolean {
  return name.includes('_') && /^(x-road-|spean-)/.test(name.replaceAll('_', '-'))
}

/** Adds lines to a block, replacing those of the same names. */
export function withHeaders(block: HeaderBlock, added: HeaderBlock): HeaderBlock {
  const names = new Set(added.map(([name]) => name))
  return canonical([...block.filter(([name]) => !names.has(name)), ...added])
}

function canonical(lines: HeaderLine[]): HeaderBlock {
  const bytes = lines.reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0)
  if (bytes > LIMITS.headerBlockBytes) {
    throw new ExchangeError(
      'request.headers-too-large',
      `the headers have ${bytes} bytes, the limit is ${LIMITS.headerBlockBytes}`,
    )
  }
  // Array.prototype.sort is stable: lines of one name keep their order.
  return lines.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Headers that `Connection` names are hop-by-hop too (RFC 9110 §7.6.1). */
function connectionOptions(rawHeaders: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== 'connection') continue
    named ??= new Set()
    for (const option of rawHeaders[i + 1]!.split(',')) named.add(option.trim().toLowerCase())
  }
  return named
}

/** `name:value\n` of every line, one byte for each character (protocol/README.md §4.3). */
export function headerBlockBytes(block: HeaderBlock): Buffer {
  return Buffer.from(block.map(([name, value]) => `${name}:${value}\n`).join(''), 'latin1')
}

/** SHA-256 over {@link headerBlockBytes}, base64url. */
export function headerBlockDigest(block: HeaderBlock): string {
  return createHash('sha256').update(headerBlockBytes(block)).digest('base64url')
}

/** The block as `node:http` and undici take it: names and values in turn. */
export function toRawHeaders(block: HeaderBlock): string[] {
  return block.flatMap(([name, value]) => [name, value])
}

/** The values of one header, in order. */
export function valuesOf(block: HeaderBlock, name: string): string[] {
  return block.filter(([other]) => other === name).map(([, value]) => value)
}

/**
 * The value of a header that may stand once.
 *
 * @throws ExchangeError `request.header-repeated` (X-Road takes the last one: PR-REST §4.3, SHOULD;
 *   two values are two claims, and only one of them can be signed).
 */
export function singleValue(block: HeaderBlock, name: string): string | undefined {
  const values = valuesOf(block, name)
  if (values.length > 1) {
    throw new ExchangeError('request.header-repeated', `${name} stands ${values.length} times`)
  }
  return values[0]
}

/** Longest value of {@link FINDINGS_HEADER}, in bytes. */
const MAX_FINDINGS_BYTES = 2048

/** What was found as a header value: UTF-8, without control characters, cut where it is too long. */
export function findingsValue(text: string): string {
  // oxlint-disable-next-line no-control-regex -- a name in a description may hold them
  const value = Buffer.from(text.replaceAll(/[\x00-\x1f\x7f]/g, '?'), 'utf8').toString('latin1')
  return value.length <= MAX_FINDINGS_BYTES ? value : `${value.slice(0, MAX_FINDINGS_BYTES - 3)}...`
}

/** The text in {@link FINDINGS_HEADER}; undefined when there is none. */
export function readFindings(block: HeaderBlock): string | undefined {
  const [value] = valuesOf(block, FINDINGS_HEADER)
  return value === undefined ? undefined : Buffer.from(value, 'latin1').toString('utf8')
}
