import { createPublicKey, type KeyObject } from 'node:crypto'
import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile } from '../runtime/private-file.ts'
import { DerError, parseDer } from './der.ts'
import { readOctetString } from './der-values.ts'
import { bitString, oid, sequence } from './der-writer.ts'
import { OID } from './oids.ts'
import {
  CK,
  ckrOf,
  type Attribute,
  type Handle,
  type Pkcs11,
  type TokenInfo,
} from './pkcs11-module.ts'
import { nameOfKey, TOKEN_ATTRIBUTES, type Pkcs11Uri, type TokenAttribute } from './pkcs11-uri.ts'
import { KeyError } from './signing-key.ts'

/** The token or the key in it is not there now; it may come back. */
export class AbsentKeyError extends KeyError {}

const TOKEN_FIELDS: Record<TokenAttribute, keyof TokenInfo> = {
  token: 'label',
  manufacturer: 'manufacturerID',
  serial: 'serialNumber',
  model: 'model',
}

/**
 * Opens a session with the token that a URI names, logged in if the token wants it.
 *
 * @throws AbsentKeyError, KeyError, ConfigError, or what the library answered.
 */
export function openTokenSession(api: Pkcs11, uri: Pkcs11Uri): Handle {
  const { slot, info } = findToken(api, uri)
  const session = api.C_OpenSession(slot, CK.CKF_SERIAL_SESSION)
  try {
    if ((info.flags & CK.CKF_LOGIN_REQUIRED) !== 0) login(api, session, uri, info)
    return session
  } catch (error) {
    api.C_CloseSession(session)
    throw error
  }
}

function findToken(api: Pkcs11, uri: Pkcs11Uri): { slot: Handle; info: TokenInfo } {
  const found = api
    .C_GetSlotList(true)
    .map((slot) => ({ slot, info: api.C_GetTokenInfo(slot) }))
    .filter(({ info }) =>
      // Fields of a token are padded with blanks (CK_TOKEN_INFO).
      TOKEN_ATTRIBUTES.every((name) => {
        const wanted = uri.token[name]
        return wanted === undefined || String(info[TOKEN_FIELDS[name]]).trimEnd() === wanted
      }),
    )
  const [first] = found
  if (first === undefined) throw new AbsentKeyError(`${nameOfKey(uri)}: there is no such token`)
  if (found.length > 1) {
    throw new KeyError(`${nameOfKey(uri)}: ${found.length} tokens are named so; add serial=`)
  }
  return first
}

/** PINs that tokens refused: a few wrong ones lock a token, and many keys may have the same wrong one. */
const refusedPins = new Map<string, string>()

function login(api: Pkcs11, session: Handle, uri: Pkcs11Uri, { serialNumber }: TokenInfo): void {
  const { pinFile, modulePath } = uri
  const name = nameOfKey(uri)
  if (pinFile === undefined) {
    throw new ConfigError(`${name}: the token wants a PIN; add pin-source=file:/path/of/its/file`)
  }
  const pin = readPrivateFile(pinFile).replace(/\r?\n$/, '')
  const token = `${modulePath} ${serialNumber}`
  if (refusedPins.get(token) === pin) {
    throw new KeyError(`${name}: ${pinFile} still holds the PIN that the token refused; correct it`)
  }
  try {
    api.C_Login(session, CK.CKU_USER, pin)
  } catch (cause) {
    const ckr = ckrOf(cause)
    if (ckr === 'CKR_USER_ALREADY_LOGGED_IN') return // all sessions of a process share the login
    if (!ckr?.startsWith('CKR_PIN_')) throw cause
    refusedPins.set(token, pin)
    throw new KeyError(`${name}: the token refuses the PIN in ${pinFile} (${ckr})`, { cause })
  }
  refusedPins.delete(token)
}

/**
 * The private key that a URI names and the public key beside it.
 *
 * @throws AbsentKeyError when it is missing, KeyError when several are named so or it is of no use here, or
 * what the library answered.
 */
export function findKey(
  api: Pkcs11,
  session: Handle,
  uri: Pkcs11Uri,
): { handle: Handle; publicKey: KeyObject } {
  const handle = findOne(api, session, uri, namedBy(uri, CK.CKO_PRIVATE_KEY))
  const read = (object: Handle, type: number): Buffer =>
    api.C_GetAttributeValue(session, object, [{ type }])[0]?.value ?? Buffer.alloc(0)
  const keyType = read(handle, CK.CKA_KEY_TYPE)[0]
  if (keyType !== CK.CKK_EC && keyType !== CK.CKK_RSA) {
    throw new KeyError(`${nameOfKey(uri)}: is neither an EC nor an RSA key`)
  }
  // The public half is an object of its own, tied to the private one by CKA_ID.
  const publicHandle = findOne(api, session, uri, [
    { type: CK.CKA_CLASS, value: CK.CKO_PUBLIC_KEY },
    { type: CK.CKA_ID, value: read(handle, CK.CKA_ID) },
  ])
  try {
    const publicKey =
      keyType === CK.CKK_EC
        ? ecKey(read(publicHandle, CK.CKA_EC_PARAMS), read(publicHandle, CK.CKA_EC_POINT))
        : rsaKey(read(publicHandle, CK.CKA_MODULUS), read(publicHandle, CK.CKA_PUBLIC_EXPONENT))
    return { handle, publicKey }
  } catch (cause) {
    if (ckrOf(cause) !== undefined) throw cause
    throw new KeyError(`${nameOfKey(uri)}: its public key cannot be read`, { cause })
  }
}

/** The AES key that a URI names. @throws as findKey does */
export function findSecretKey(api: Pkcs11, session: Handle, uri: Pkcs11Uri): Handle {
  const aes = { type: CK.CKA_KEY_TYPE, value: CK.CKK_AES }
  return findOne(api, session, uri, [...namedBy(uri, CK.CKO_SECRET_KEY), aes])
}

function namedBy({ object, id }: Pkcs11Uri, objectClass: number): Attribute[] {
  return [
    { type: CK.CKA_CLASS, value: objectClass },
    ...(object === undefined ? [] : [{ type: CK.CKA_LABEL, value: object }]),
    ...(id === undefined ? [] : [{ type: CK.CKA_ID, value: id }]),
  ]
}

const KINDS = new Map<Attribute['value'], string>([
  [CK.CKO_PRIVATE_KEY, 'private key'],
  [CK.CKO_PUBLIC_KEY, 'public key'],
  [CK.CKO_SECRET_KEY, 'AES key'],
])

function findOne(
  api: Pkcs11,
  session: Handle,
  uri: Pkcs11Uri,
  template: readonly Attribute[],
): Handle {
  api.C_FindObjectsInit(session, template)
  const found = api.C_FindObjects(session, 2)
  api.C_FindObjectsFinal(session)
  const kind = KINDS.get(template[0]!.value)
  const [first] = found
  if (first === undefined) {
    throw new AbsentKeyError(`${nameOfKey(uri)}: the token has no such ${kind}`)
  }
  if (found.length > 1) {
    throw new KeyError(`${nameOfKey(uri)}: the token has several such ${kind}s; add id=`)
  }
  return first
}

const UNCOMPRESSED = 0x04

/** @param point an uncompressed point in an OCTET STRING, as it should be, or bare, as some tokens have it. */
function ecKey(parameters: Buffer, point: Buffer): KeyObject {
  const algorithm = sequence(oid(OID.ecPublicKey), parameters)
  const spki = sequence(algorithm, bitString(unwrapped(point)))
  return createPublicKey({ key: spki, format: 'der', type: 'spki' })
}

function unwrapped(point: Buffer): Buffer {
  try {
    const inner = readOctetString(parseDer(point))
    return inner[0] === UNCOMPRESSED ? inner : point
  } catch (error) {
    if (error instanceof DerError) return point
    throw error
  }
}

function rsaKey(modulus: Buffer, exponent: Buffer): KeyObject {
  const [n, e] = [modulus.toString('base64url'), exponent.toString('base64url')]
  return createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
}
