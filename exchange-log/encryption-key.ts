import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  scryptSync,
  type KeyObject,
} from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { openPkcs11Cipher } from '../pki/pkcs11-cipher.ts'
import { isPkcs11Uri, nameOfKey, parsePkcs11Uri } from '../pki/pkcs11-uri.ts'
import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile, writePrivateFileDurably } from '../runtime/private-file.ts'

/** The key at the top: under it the keys of epochs are encrypted, by AES-256-GCM, in this process or in a token. */
export interface EncryptionKey {
  /** How an operator knows it: the path of its file, or the name of the key in its token. */
  readonly name: string
  /** @throws KeyError when the token is away. */
  encrypt(nonce: Buffer, aad: Buffer, plain: Buffer): Promise<Buffer>
  /** @throws KeyError when the token is away; EncryptionKeyMismatch when it is another key's, or was altered. */
  decrypt(nonce: Buffer, aad: Buffer, sealed: Buffer): Promise<Buffer>
}

/** What was encrypted does not open with this key. */
export class EncryptionKeyMismatch extends Error {
  override readonly name = 'EncryptionKeyMismatch'
}

export const KEY_BYTES = 32
export const TAG_BYTES = 16
export const NONCE_BYTES = 12

/**
 * Opens the key that a configuration names: a file of 32 bytes, or an AES key in a PKCS#11 token by its URI.
 *
 * @param options.mayMake whether a file that is not there is made: not when the log has content already.
 * @param options.passphrase what the file is encrypted with; a plain one is replaced by an encrypted one.
 * @throws ConfigError
 */
export async function openEncryptionKey(
  reference: string,
  options: { readonly mayMake: boolean; readonly passphrase?: string | undefined },
): Promise<EncryptionKey> {
  if (isPkcs11Uri(reference)) return openTokenKey(reference)
  const key = createSecretKey(openKeyFile(reference, options))
  return {
    name: reference,
    encrypt: (nonce, aad, plain) => Promise.resolve(encrypt(key, nonce, aad, plain)),
    decrypt: async (nonce, aad, sealed) => {
      const plain = decrypt(key, nonce, aad, sealed)
      if (plain === undefined) throw mismatch(reference)
      return plain
    },
  }
}

async function openTokenKey(reference: string): Promise<EncryptionKey> {
  const cipher = await openPkcs11Cipher(parsePkcs11Uri(reference, 'secret-key'))
  const name = nameOfKey(parsePkcs11Uri(reference, 'secret-key'))
  return {
    name,
    encrypt: (nonce, aad, plain) => cipher.encrypt(nonce, aad, plain),
    decrypt: async (nonce, aad, sealed) => {
      const plain = await cipher.decrypt(nonce, aad, sealed)
      if (plain === undefined) throw mismatch(name)
      return plain
    },
  }
}

const mismatch = (name: string): EncryptionKeyMismatch =>
  new EncryptionKeyMismatch(`${name}: is another key than the one it was encrypted under`)

/**
 * AES-256-GCM (NIST SP 800-38D): ciphertext, and its tag of 16 bytes behind it.
 *
 * @param key a KeyObject: Node takes a fourth of the time for one that it needs for bytes.
 */
export function encrypt(key: KeyObject, nonce: Buffer, aad: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  if (aad.length > 0) cipher.setAAD(aad)
  // Of its own memory: a worker is sent the whole of what a buffer is part of.
  const sealed = Buffer.allocUnsafeSlow(plain.length + TAG_BYTES)
  cipher.update(plain).copy(sealed)
  cipher.final()
  cipher.getAuthTag().copy(sealed, plain.length)
  return sealed
}

/** Undefined when the tag is wrong. */
export function decrypt(
  key: KeyObject,
  nonce: Buffer,
  aad: Buffer,
  sealed: Buffer,
): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const plain = decipher.update(sealed.subarray(0, -TAG_BYTES))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return plain
}

/** Begins a key file that is encrypted: salt, nonce and AES-256-GCM under scrypt of the passphrase follow. */
const MAGIC = Buffer.from('spean key 1\n')
const SALT_BYTES = 16
/** As for private keys (pki/key-encryption.ts): 16 MiB and about 150 ms for each guess. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 5 }

function openKeyFile(
  file: string,
  { mayMake, passphrase }: { readonly mayMake: boolean; readonly passphrase?: string | undefined },
): Buffer {
  if (!existsSync(file)) {
    if (!mayMake) {
      throw new ConfigError(
        `${file}: is missing, and the exchange log has content that only it opens; restore it from a backup. ` +
          `If it is lost, that content is: make a new key with  head -c 32 /dev/urandom > ${file}; chmod 600 ${file}`,
      )
    }
    const key = randomBytes(KEY_BYTES)
    // Nothing may be encrypted under a key that a power cut takes away.
    writePrivateFileDurably(file, passphrase === undefined ? key : wrapped(key, passphrase))
    return key
  }
  readPrivateFile(file) // refuses one that others can read
  const bytes = readFileSync(file)
  if (bytes.length === KEY_BYTES) {
    if (passphrase !== undefined) writePrivateFileDurably(file, wrapped(bytes, passphrase))
    return bytes
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ConfigError(`${file}: is no encryption key, which has ${KEY_BYTES} bytes`)
  }
  if (passphrase === undefined) {
    throw new ConfigError(`${file}: is encrypted; configure its passphrase`)
  }
  const key = unwrapped(bytes.subarray(MAGIC.length), passphrase)
  if (key?.length === KEY_BYTES) return key
  throw new ConfigError(
    `${file}: does not open with the configured passphrase; check it, or restore the file`,
  )
}

function wrapped(key: Buffer, passphrase: string): Buffer {
  const salt = randomBytes(SALT_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const derived = createSecretKey(scryptSync(passphrase, salt, KEY_BYTES, SCRYPT))
  return Buffer.concat([MAGIC, salt, nonce, encrypt(derived, nonce, MAGIC, key)])
}

function unwrapped(bytes: Buffer, passphrase: string): Buffer | undefined {
  const salt = bytes.subarray(0, SALT_BYTES)
  const nonce = bytes.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES)
  if (nonce.length < NONCE_BYTES) return undefined
  const derived = createSecretKey(scryptSync(passphrase, salt, KEY_BYTES, SCRYPT))
  return decrypt(derived, nonce, MAGIC, bytes.subarray(SALT_BYTES + NONCE_BYTES))
}
