import { fileURLToPath } from 'node:url'
import { ConfigError } from '../runtime/config.ts'

/** A private or secret key in a token, named by a PKCS#11 URI (RFC 7512). */
export interface Pkcs11Uri {
  /** Absolute path of the PKCS#11 library. */
  readonly modulePath: string
  /** What the token must say of itself; what is undefined may be anything. */
  readonly token: Readonly<Record<TokenAttribute, string | undefined>>
  /** CKA_LABEL and CKA_ID of the key; at least one is there. */
  readonly object: string | undefined
  readonly id: Buffer | undefined
  /** Absolute path of the file that holds the PIN; undefined for a token without one. */
  readonly pinFile: string | undefined
}

export const TOKEN_ATTRIBUTES = ['token', 'manufacturer', 'serial', 'model'] as const
export type TokenAttribute = (typeof TOKEN_ATTRIBUTES)[number]

export function isPkcs11Uri(reference: string): boolean {
  return /^pkcs11:/i.test(reference)
}

/** pk11-pchar and pk11-qchar of RFC 7512 §2.3, with percent-encoded octets. */
const PATH_VALUE = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=&]|%[0-9A-Fa-f]{2})*$/
const QUERY_VALUE = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|]|%[0-9A-Fa-f]{2})*$/

const PATH_NAMES = new Set<string>([...TOKEN_ATTRIBUTES, 'object', 'id', 'type'])
const QUERY_NAMES = new Set<string>(['module-path', 'pin-source', 'pin-value'])

/**
 * Reads a URI that names one key. Stricter than RFC 7512 where a configuration gains by it: an attribute
 * that is not understood is refused, since passing it over might choose another key; so is a PIN in it.
 *
 * @throws ConfigError that never repeats a value: one of them may be a PIN.
 */
export function parsePkcs11Uri(
  uri: string,
  expected: 'private' | 'secret-key' = 'private',
): Pkcs11Uri {
  const [, pathText, queryText] = /^pkcs11:([^?]*)(?:\?(.*))?$/is.exec(uri) ?? []
  if (pathText === undefined) throw fault('it does not begin with pkcs11:')
  const path = readAttributes(pathText, ';', PATH_NAMES, PATH_VALUE)
  const query = readAttributes(queryText ?? '', '&', QUERY_NAMES, QUERY_VALUE)
  if (query.has('pin-value')) {
    throw fault('a PIN does not stand in a configuration; use pin-source=file:/path/of/its/file')
  }
  const text = (name: string): string | undefined => decodeText(name, path.get(name))
  const type = text('type')
  if (type !== undefined && type !== expected) throw fault(`type is ${expected}, or left out`)
  const object = text('object')
  const id = path.get('id')
  if (!object && !id) throw fault('it names no key; add object=LABEL or id=%01')
  const modulePath = decodeText('module-path', query.get('module-path'))
  if (!modulePath?.startsWith('/')) {
    throw fault('module-path is to be the absolute path of the PKCS#11 library')
  }
  const pinSource = decodeText('pin-source', query.get('pin-source'))
  return {
    modulePath,
    token: {
      token: text('token'),
      manufacturer: text('manufacturer'),
      serial: text('serial'),
      model: text('model'),
    },
    object,
    id: id === undefined ? undefined : decodeOctets(id),
    pinFile: pinSource === undefined ? undefined : pinFileOf(pinSource),
  }
}

/** What to call a key in a message: a file by its path, a key in a token without what may be secret. */
export function nameOfKey(reference: string | Pkcs11Uri): string {
  if (typeof reference === 'string') {
    return isPkcs11Uri(reference) ? nameOfKey(parsePkcs11Uri(reference)) : reference
  }
  const { object, id, token } = reference
  const key = [
    ...(object === undefined ? [] : [`"${object}"`]),
    ...(id === undefined ? [] : [`id ${id.toString('hex')}`]),
  ].join(' ')
  return `key ${key} in ${nameOfToken(token)}`
}

function nameOfToken(token: Pkcs11Uri['token']): string {
  if (token.token !== undefined) return `token "${token.token}"`
  const named = TOKEN_ATTRIBUTES.filter((name) => token[name] !== undefined)
  return `the token${named.map((name) => ` ${name} "${token[name]}"`).join('')}`
}

function readAttributes(
  text: string,
  separator: string,
  known: ReadonlySet<string>,
  value: RegExp,
): Map<string, string> {
  const found = new Map<string, string>()
  for (const attribute of text === '' ? [] : text.split(separator)) {
    const equals = attribute.indexOf('=')
    const name = attribute.slice(0, Math.max(equals, 0))
    if (!known.has(name)) throw fault(unknownAttribute(name, [...known]))
    // One of two values would be passed over.
    if (found.has(name)) throw fault(`${name} stands twice`)
    const content = attribute.slice(equals + 1)
    if (!value.test(content)) throw fault(`${name} has a character that must be percent-encoded`)
    found.set(name, content)
  }
  return found
}

function unknownAttribute(name: string, known: readonly string[]): string {
  if (name.startsWith('slot-')) {
    return `${name} is not used, since slots change their numbers; name the token`
  }
  // Only what looks like a name is repeated: the rest may be a piece of a value.
  const what = /^[a-z-]{1,32}$/.test(name) ? `the attribute ${name}` : 'a part without a known name'
  return `${what} is not understood; there are ${known.filter((n) => n !== 'pin-value').join(', ')}`
}

function decodeOctets(value: string): Buffer {
  const octets = value.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  return Buffer.from(octets, 'latin1')
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** RFC 7512 §2.3: every value but that of `id` is UTF-8. */
function decodeText(name: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  try {
    return utf8.decode(decodeOctets(value))
  } catch (cause) {
    throw fault(`${name} is not UTF-8`, cause)
  }
}

/** RFC 7512 §2.4: a file by its path or URI; a command, which the standard allows too, is not run. */
function pinFileOf(source: string): string {
  if (source.startsWith('/')) return source
  if (!source.startsWith('file:/')) throw fault('pin-source is to be file:/path/of/a/file')
  try {
    return fileURLToPath(source)
  } catch (cause) {
    throw fault('pin-source is to be a file of this machine', cause)
  }
}

function fault(what: string, cause?: unknown): ConfigError {
  return new ConfigError(`pkcs11: URI: ${what}`, { cause })
}
