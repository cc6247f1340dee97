import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { promisify } from 'node:util'
import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile, writePrivateFile } from '../runtime/private-file.ts'
import { encryptPrivateKey } from './key-encryption.ts'
import { openPkcs11Key } from './pkcs11-key.ts'
import { isPkcs11Uri, nameOfKey, parsePkcs11Uri } from './pkcs11-uri.ts'
import { memorySigningKey, type SigningKey } from './signing-key.ts'

/** `Ed25519` is for checkpoints and cosignatures of logs: no certificate of ours has such a key. */
export type KeyKind = 'Ed25519' | 'P-256' | 'P-384' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096'

export const KEY_KINDS: readonly KeyKind[] = ['P-256', 'P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096']

/** A key held in this process. */
export interface KeyPair extends SigningKey {
  readonly privateKey: KeyObject
}

const pairOf = (privateKey: KeyObject): KeyPair => ({ privateKey, ...memorySigningKey(privateKey) })

const generate = promisify(generateKeyPair)

/** Makes a key off the main thread: RSA takes up to seconds. */
export async function generateKey(kind: KeyKind): Promise<KeyPair> {
  const { privateKey } =
    kind === 'Ed25519'
      ? await generate('ed25519')
      : kind === 'P-256' || kind === 'P-384'
        ? await generate('ec', { namedCurve: kind })
        : await generate('rsa', { modulusLength: Number(kind.slice('RSA-'.length)) })
  return pairOf(privateKey)
}

export interface KeyFileOptions {
  /** What the file is encrypted with; undefined: it is not. */
  readonly passphrase?: string | undefined
}

/**
 * Reads a private key from a PEM file (PKCS#8, RFC 5958), encrypted or not. A file that is not encrypted though
 * there is a passphrase is replaced, as a whole, by an encrypted one: what is configured is so from the first
 * start on. The disk may still hold the old bytes.
 *
 * @throws ConfigError when the file is missing, readable by others than its owner, holds no key, or does not go
 * with the passphrase.
 */
export function openKeyFile(file: string, { passphrase }: KeyFileOptions = {}): KeyPair {
  const { pem, isEncrypted, privateKey } = readKeyText(file, passphrase)
  if (!isEncrypted && passphrase !== undefined) encryptInPlace(file, pem, privateKey, passphrase)
  return pairOf(privateKey)
}

/** The same for a file of somebody else: it is left as it is. @throws ConfigError */
export function readKeyFile(file: string, { passphrase }: KeyFileOptions = {}): KeyPair {
  return pairOf(readKeyText(file, passphrase).privateKey)
}

function readKeyText(
  file: string,
  passphrase: string | undefined,
): { pem: string; isEncrypted: boolean; privateKey: KeyObject } {
  const pem = readPrivateFile(file)
  const isEncrypted = pem.includes('ENCRYPTED')
  if (isEncrypted && passphrase === undefined) {
    throw new ConfigError(`${file}: is encrypted; configure its passphrase`)
  }
  const privateKey = readPrivateKey(file, pem, isEncrypted ? passphrase : undefined)
  return { pem, isEncrypted, privateKey }
}

function readPrivateKey(file: string, pem: string, passphrase: string | undefined): KeyObject {
  try {
    const secret = passphrase === undefined ? {} : { passphrase }
    return createPrivateKey({ key: pem, format: 'pem', ...secret })
  } catch (cause) {
    throw new ConfigError(
      passphrase === undefined
        ? `${file}: holds no private key in PEM form`
        : `${file}: does not open with the configured passphrase; check it, or restore the file`,
      { cause },
    )
  }
}

function encryptInPlace(
  file: string,
  pem: string,
  privateKey: KeyObject,
  passphrase: string,
): void {
  const byHand = `encrypt it yourself: openssl pkcs8 -topk8 -scrypt -in ${file} -out NEW`
  if (/-----BEGIN (?!EC PARAMETERS|[A-Z ]*PRIVATE KEY)/.test(pem)) {
    throw new ConfigError(`${file}: is not encrypted and holds more than the key; ${byHand}`)
  }
  try {
    // The file itself, not a link to it: the plain key must not stay behind the link.
    writePrivateFile(realpathSync(file), encryptPrivateKey(privateKey, passphrase))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: is not encrypted and cannot be replaced (${code}); ${byHand}`, {
      cause,
    })
  }
}

/**
 * The key in `file`, which is made at the first start, readable by its owner only and encrypted when there is
 * a passphrase.
 *
 * @throws ConfigError as openKeyFile does.
 */
export async function ensureKeyFile(
  file: string,
  kind: KeyKind,
  options: KeyFileOptions = {},
): Promise<KeyPair> {
  if (existsSync(file)) return openKeyFile(file, options)
  const pair = await generateKey(kind)
  const { passphrase } = options
  writePrivateFile(
    file,
    passphrase === undefined
      ? pair.privateKey.export({ type: 'pkcs8', format: 'pem' })
      : encryptPrivateKey(pair.privateKey, passphrase),
  )
  return pair
}

/**
 * Opens the key that a configuration names: a PEM file, or a key in a PKCS#11 token by its URI (RFC 7512). What
 * is opened is closed by disposing of it.
 *
 * @throws ConfigError when it cannot be opened or is of a kind that is not accepted.
 */
export async function openSigningKey(
  reference: string,
  options: KeyFileOptions = {},
): Promise<SigningKey & AsyncDisposable> {
  const key = isPkcs11Uri(reference)
    ? await openPkcs11Key(parsePkcs11Uri(reference))
    : { ...openKeyFile(reference, options), [Symbol.asyncDispose]: () => Promise.resolve() }
  const fault = keyFault(key.publicKey)
  if (fault === undefined) return key
  await key[Symbol.asyncDispose]()
  throw new ConfigError(`${nameOfKey(reference)}: ${fault}`)
}

/**
 * The passphrase of the keys on disk: the content of `file` without the line end behind it, or else the value
 * of the environment variable `env`; undefined when neither is there.
 *
 * @throws ConfigError when the file is named but missing, or readable by others than its owner, and when the
 * passphrase is empty or has several lines.
 */
export function readPassphrase(source: {
  readonly file?: string | undefined
  readonly env: string
}): string | undefined {
  const { file, env } = source
  const text = file === undefined ? process.env[env] : readPrivateFile(file)
  if (text === undefined) return undefined
  const passphrase = text.replace(/\r?\n$/, '')
  const name = file ?? `environment variable ${env}`
  if (passphrase === '') throw new ConfigError(`${name}: the passphrase is empty`)
  // Whoever sees two lines in a file cannot know which of them counts.
  if (/[\r\n]/.test(passphrase)) throw new ConfigError(`${name}: a passphrase is one line`)
  return passphrase
}

/** SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
export function exportSpki(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

const MIN_RSA_BITS = 2048

/**
 * What is wrong with a key, undefined when nothing is: accepted are P-256, P-384, RSA from 2048
 * bits on with a usual exponent, and Ed25519.
 */
export function keyFault(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (namedCurve === 'prime256v1' || namedCurve === 'secp384r1') return undefined
      return `curve ${namedCurve} is not P-256 or P-384`
    case 'rsa':
    case 'rsa-pss':
      if (modulusLength < MIN_RSA_BITS) return `RSA with ${modulusLength} bits is below 2048`
      return publicExponent < 65_537n ? 'the RSA exponent is below 65537' : undefined
    case 'ed25519':
      return undefined
    default:
      return `keys of type ${key.asymmetricKeyType} are not accepted`
  }
}
