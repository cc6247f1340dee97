import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../runtime/config.ts'
import { readPrivateFile } from '../../runtime/private-file.ts'
import { ensureKeyFile, type KeyKind, type KeyPair } from '../keys.ts'
import type { SigningKey } from '../signing-key.ts'

/** The authority's own keys: of its certificate authorities and of what answers for them. */
export type KeyName =
  'root' | 'authentication' | 'signing' | 'ocspAuthentication' | 'ocspSigning' | 'timeStamping'

export interface KeyPlaces {
  readonly stateDir: string
  readonly keyKind: KeyKind
  /** Of the key files; undefined: they are not encrypted. */
  readonly passphrase?: string | undefined
  /** Where keys are that are not in stateDir: a file, or a pkcs11: URI. */
  readonly references?: Partial<Record<KeyName, string>> | undefined
}

const FILES: Readonly<Record<KeyName, string>> = {
  root: 'root.key',
  authentication: 'authentication.key',
  signing: 'signing.key',
  ocspAuthentication: 'ocsp-authentication.key',
  ocspSigning: 'ocsp-signing.key',
  timeStamping: 'time-stamping.key',
}

const isToken = (reference: string): boolean => reference.startsWith('pkcs11:')

/** Where a key is: a path, or a pkcs11: URI. */
export function keyReference({ stateDir, references }: KeyPlaces, name: KeyName): string {
  return references?.[name] ?? join(stateDir, FILES[name])
}

/** False when its file is not there: the root's may be in a safe. A token tells when it is asked to sign. */
export function isKeyPresent(places: KeyPlaces, name: KeyName): boolean {
  const reference = keyReference(places, name)
  return isToken(reference) || existsSync(reference)
}

/**
 * Opens a key; a file is made when it is not there, a key in a token is not.
 *
 * @throws ConfigError
 */
export async function openKey(places: KeyPlaces, name: KeyName): Promise<SigningKey> {
  const reference = keyReference(places, name)
  if (isToken(reference)) {
    throw new ConfigError(`keys.${name}: keys in a token are not supported yet`)
  }
  return await openFile(places, reference)
}

/** A key that TLS uses: always a file of the folder, because OpenSSL in Node asks no token. */
export async function openTlsKey(places: KeyPlaces, file: string): Promise<KeyPair> {
  return await openFile(places, join(places.stateDir, file))
}

/** The one place that knows how key files are opened. */
async function openFile({ keyKind }: KeyPlaces, file: string): Promise<KeyPair> {
  return await ensureKeyFile(file, keyKind)
}

/**
 * The passphrase of the key files: from a file, else from the environment; undefined when neither is there.
 *
 * @throws ConfigError
 */
export function readKeyPassphrase(file: string | undefined): string | undefined {
  if (file !== undefined) return readPrivateFile(file).replace(/\r?\n$/, '')
  return process.env.SPEAN_AUTHORITY_PASSPHRASE || undefined
}
