import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureKeyFile, openSigningKey, type KeyKind, type KeyPair } from '../keys.ts'
import type { SigningKey } from '../signing-key.ts'

/** The authority's own keys: of its certificate authorities and of what answers for them. */
export type KeyName =
  'root' | 'authentication' | 'signing' | 'ocspAuthentication' | 'ocspSigning' | 'timeStamping'

/** Where the keys are, and how they are opened; what was opened is closed by disposing of it. */
export interface AuthorityKeys extends AsyncDisposable {
  readonly stateDir: string
  /** A path, or a pkcs11: URI. */
  readonly reference: (name: KeyName) => string
  /** False when its file is not there: the root's may be in a safe. A token tells when it is opened. */
  readonly isPresent: (name: KeyName) => boolean
  /**
   * Opens a key; a file is made when it is not there, a key in a token is not.
   *
   * @throws ConfigError
   */
  readonly open: (name: KeyName) => Promise<SigningKey>
  /** Closes the root's key: nothing but a ceremony needs it. */
  readonly closeRoot: () => Promise<void>
  /** A key that TLS uses: always a file of stateDir, because OpenSSL in Node asks no token. @throws ConfigError */
  readonly openTls: (file: string) => Promise<KeyPair>
}

const FILES: Readonly<Record<KeyName, string>> = {
  root: 'root.key',
  authentication: 'authentication.key',
  signing: 'signing.key',
  ocspAuthentication: 'ocsp-authentication.key',
  ocspSigning: 'ocsp-signing.key',
  timeStamping: 'time-stamping.key',
}

export function createAuthorityKeys(options: {
  readonly stateDir: string
  readonly keyKind: KeyKind
  /** Of the key files; undefined: they are not encrypted. */
  readonly passphrase?: string | undefined
  /** Where keys are that are not in stateDir: a file, or a pkcs11: URI. */
  readonly references?: Partial<Record<KeyName, string>> | undefined
}): AuthorityKeys {
  const { stateDir, keyKind, passphrase, references } = options
  const secret = passphrase === undefined ? {} : { passphrase }
  const opened = new Map<KeyName, Promise<SigningKey & Partial<AsyncDisposable>>>()
  const reference = (name: KeyName): string => references?.[name] ?? join(stateDir, FILES[name])
  const openNow = (name: KeyName): Promise<SigningKey & Partial<AsyncDisposable>> => {
    const place = reference(name)
    return isToken(place) ? openSigningKey(place, secret) : ensureKeyFile(place, keyKind, secret)
  }
  const close = async (name: KeyName): Promise<void> => {
    const key = opened.get(name)
    opened.delete(name)
    // One that did not open has told whoever opened it.
    await key?.then(
      (open) => open[Symbol.asyncDispose]?.(),
      () => undefined,
    )
  }
  return {
    stateDir,
    reference,
    isPresent: (name) => isToken(reference(name)) || existsSync(reference(name)),
    open: (name) => {
      const key = opened.get(name) ?? openNow(name)
      opened.set(name, key)
      return key
    },
    closeRoot: () => close('root'),
    openTls: (file) => ensureKeyFile(join(stateDir, file), keyKind, secret),
    [Symbol.asyncDispose]: async () => {
      for (const name of [...opened.keys()]) await close(name)
    },
  }
}

const isToken = (reference: string): boolean => reference.startsWith('pkcs11:')
