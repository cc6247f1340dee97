import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CertificateError, type Certificate } from '../../pki/certificate.ts'
import { encryptPrivateKey } from '../../pki/key-encryption.ts'
import { openKeyFile, openSigningKey, type KeyPair } from '../../pki/keys.ts'
import type { SigningKey } from '../../pki/signing-key.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { readPrivateFile, writePrivateFileDurably } from '../../runtime/private-file.ts'
import { toPem, withPassphrase, type KeyOptions } from './configured.ts'
import {
  createCredential,
  isOfSlot,
  lifeMs,
  type Credential,
  type CredentialSlot,
} from './credential.ts'

/** A key for which a certificate has been asked, or is about to be. */
export interface Pending extends CredentialSlot {
  readonly id: string
  /** PKCS#10, DER: the same bytes at each attempt, so that the authority knows the request again. */
  readonly csr: Buffer
}

/**
 * A gateway's own credentials: those of its configuration and those that came since. What a call that
 * returned has written survives a kill and a power cut; a call that was cut off left nothing, or what
 * `pending` shows. One process at a time.
 */
export interface CredentialStore {
  /** All that have a certificate, also ended ones; the newest first. */
  of(slot: CredentialSlot): readonly Credential[]
  all(): readonly Credential[]
  pending(slot: CredentialSlot): Pending | undefined
  /**
   * Keeps a key and the request for its certificate.
   *
   * @param key a new key, or the reference of one that is elsewhere and is used again.
   */
  begin(slot: CredentialSlot, key: KeyPair | string, csr: Buffer): Pending
  /**
   * Adds the certificate that was asked for, which ends what was pending.
   *
   * @param certificates the certificate of the key first, then those between it and the root.
   * @throws ConfigError when the certificate is not one of this key and slot; nothing is kept.
   */
  install(pending: Pending, certificates: readonly Certificate[]): Promise<Credential>
  /** Whether the catalogue was told of it; those of the configuration are registered by whoever made them. */
  isRegistered(credential: Credential): boolean
  setRegistered(credential: Credential): void
  /** Forgets a request that will never be granted, and its key. */
  discard(pending: Pending): void
  /** Removes what ended long ago; the files of the configuration stay. */
  removeEnded(at: Date): void
}

/** One file holds all but the key, so that it is there as a whole or not at all. */
interface Kept extends CredentialSlot {
  readonly version: 1
  /** `pkcs11:` URI; absent: the key is in the file beside. */
  readonly keyReference?: string
  readonly csr: string
  readonly chain?: string
  /** Absent: the catalogue was not told of it yet. */
  readonly registered?: true
}

const WEEK_MS = 7 * 86_400_000

/** @throws ConfigError when a key that is kept cannot be opened. */
export async function openCredentialStore(
  options: KeyOptions & {
    readonly dir: string
    readonly configured: readonly Credential[]
    readonly logger: Logger
  },
): Promise<CredentialStore> {
  const { dir, configured, passphrase, scope, logger } = options
  const kept = new Map<string, Kept>()
  const renewed = new Map<string, Credential>()
  const recordFile = (id: string): string => join(dir, `${id}.json`)
  const keyFile = (id: string): string => join(dir, `${id}.key`)

  const write = (id: string, record: Kept): void => {
    writePrivateFileDurably(recordFile(id), JSON.stringify(record))
    kept.set(id, record)
  }
  const openKey = async (reference: string): Promise<SigningKey> => {
    // A key in a token is certified again and again; it is opened once.
    const held = [...configured, ...renewed.values()].find((c) => c.keyReference === reference)
    return held?.key ?? scope.use(await openSigningKey(reference, withPassphrase(passphrase)))
  }
  const open = async (id: string, record: Kept, chain: string): Promise<Credential> => {
    const { kind, owner, keyReference = keyFile(id) } = record
    const tlsKey =
      kind === 'authentication'
        ? toPem(openKeyFile(keyReference, withPassphrase(passphrase)).privateKey)
        : undefined
    const credential = createCredential({
      kind,
      owner,
      keyReference,
      key: await openKey(keyReference),
      chain,
      ...(tlsKey === undefined ? {} : { tlsKey }),
    })
    const fault = credential === undefined ? 'holds no certificate' : credential.fault
    if (credential === undefined || fault !== undefined) {
      throw new ConfigError(`the certificate for ${kind} of ${owner} ${fault}`)
    }
    return credential
  }
  const remove = (id: string): void => {
    // The record first: a key alone is of no use, and is cleared away at the next start.
    rmSync(recordFile(id), { force: true })
    rmSync(keyFile(id), { force: true })
    kept.delete(id)
    renewed.delete(id)
  }

  for (const [id, record] of readRecords(dir, logger)) {
    kept.set(id, record)
    if (record.chain === undefined) continue
    try {
      renewed.set(id, await open(id, record, record.chain))
    } catch (error) {
      const known = error instanceof ConfigError || error instanceof CertificateError
      if (!known) throw error
      logger.error({ err: error, id }, 'a renewed certificate cannot be used')
    }
  }

  const idOf = (credential: Credential): string | undefined =>
    [...renewed].find(([, one]) => one === credential)?.[0]

  let newestFirst: readonly Credential[] = []
  const sort = (): void => {
    newestFirst = [...configured, ...renewed.values()].sort(
      (a, b) => b.certificate.notBefore.getTime() - a.certificate.notBefore.getTime(),
    )
  }
  sort()
  return {
    all: () => newestFirst,
    of: (slot) => newestFirst.filter((credential) => isOfSlot(credential, slot)),
    pending: (slot) => {
      const found = [...kept].find(([, r]) => r.chain === undefined && isOfSlot(r, slot))
      if (found === undefined) return undefined
      const [id, { kind, owner, csr }] = found
      return { id, kind, owner, csr: Buffer.from(csr, 'base64') }
    },
    begin: ({ kind, owner }, key, csr) => {
      const id = randomBytes(8).toString('hex')
      const isElsewhere = typeof key === 'string'
      // Encrypted as those of the configuration are.
      const text = (pair: KeyPair): string =>
        passphrase === undefined
          ? toPem(pair.privateKey)
          : encryptPrivateKey(pair.privateKey, passphrase)
      if (!isElsewhere) writePrivateFileDurably(keyFile(id), text(key))
      const keyReference = isElsewhere ? { keyReference: key } : {}
      write(id, { version: 1, kind, owner, ...keyReference, csr: csr.toString('base64') })
      return { id, kind, owner, csr }
    },
    install: async ({ id }, certificates) => {
      const record = kept.get(id)!
      const chain = certificates.map(({ pem }) => pem).join('')
      const credential = await open(id, record, chain)
      write(id, { ...record, chain })
      renewed.set(id, credential)
      sort()
      return credential
    },
    isRegistered: (credential) => {
      const id = idOf(credential)
      return id === undefined || kept.get(id)?.registered === true
    },
    setRegistered: (credential) => {
      const id = idOf(credential)
      if (id !== undefined) write(id, { ...kept.get(id)!, registered: true })
    },
    discard: ({ id }) => remove(id),
    removeEnded: (at) => {
      for (const [id, { certificate }] of renewed) {
        const keptMs = Math.min(WEEK_MS, 3 * lifeMs(certificate))
        if (at.getTime() - certificate.notAfter.getTime() > keptMs) remove(id)
      }
      sort()
    },
  }
}

/** What is kept, oldest name first; keys without a record were never used, and are cleared away. */
function readRecords(dir: string, logger: Logger): [string, Kept][] {
  if (!existsSync(dir)) return []
  const names = readdirSync(dir)
  const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5))
  for (const name of names) {
    const isOrphan = name.endsWith('.key') && !ids.includes(name.slice(0, -4))
    if (isOrphan || name.endsWith('.new')) rmSync(join(dir, name), { force: true })
  }
  return ids.sort().flatMap((id) => {
    const file = join(dir, `${id}.json`)
    try {
      return [[id, JSON.parse(readPrivateFile(file)) as Kept]]
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      logger.error({ file }, 'a file of the credentials is damaged; it is passed over')
      return []
    }
  })
}
