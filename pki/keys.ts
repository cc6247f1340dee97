import { createPrivateKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile, writePrivateFile } from '../runtime/private-file.ts'
import { memorySigningKey, type SigningKey } from './signing-key.ts'

export type KeyKind = 'P-256' | 'P-384' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096'

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
    kind === 'P-256' || kind === 'P-384'
      ? await generate('ec', { namedCurve: kind })
      : await generate('rsa', { modulusLength: Number(kind.slice('RSA-'.length)) })
  return pairOf(privateKey)
}

/**
 * Reads a private key from a PEM file (PKCS#8, RFC 5958).
 *
 * @throws ConfigError when the file is missing, readable by others than its owner, or holds no key.
 */
export function openKeyFile(file: string): KeyPair {
  const pem = readPrivateFile(file)
  try {
    return pairOf(createPrivateKey({ key: pem, format: 'pem' }))
  } catch (cause) {
    throw new ConfigError(`${file}: holds no private key in PEM form without a passphrase`, {
      cause,
    })
  }
}

/**
 * The key in `file`, which is made at the first start, readable by its owner only.
 *
 * @throws ConfigError as openKeyFile does.
 */
export async function ensureKeyFile(file: string, kind: KeyKind): Promise<KeyPair> {
  if (existsSync(file)) return openKeyFile(file)
  const pair = await generateKey(kind)
  writePrivateFile(file, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return pair
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
