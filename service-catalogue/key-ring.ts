import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { sign } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose'
import type { AnchorSigner } from '../protocol/anchor-statement.ts'
import { ensureKeyFile, openKeyFile, type KeyPair } from '../pki/keys.ts'
import { ConfigError } from '../runtime/config.ts'
import { writePrivateFileDurably } from '../runtime/private-file.ts'

/** A private key that may sign snapshots. */
export interface RingKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly file: string
  readonly privateKey: KeyPair['privateKey']
}
/** Which key signs, and which did before it. */
export interface SignerNote {
  readonly kid: string
  readonly before: readonly string[]
}

/** The private keys in the state folder: `snapshot.key`, and `snapshot-N.key` of those that anchor N brought. */
export interface KeyRing {
  get(kid: string): RingKey | undefined
  /** The key in `snapshot.key`. */
  readonly first: RingKey | undefined
  /** Makes `snapshot.key`. */
  ensureFirst(): Promise<RingKey>
  /** The key for an anchor; that of an attempt which was cut off is taken again. */
  ensure(anchorNumber: number): Promise<RingKey>
  /** Removes a private key for good. */
  remove(kid: string): void
  readonly note: SignerNote | undefined
  /** @returns when no power cut takes it back. */
  writeNote(note: SignerNote): void
}

/** @throws ConfigError when a key cannot be read, or is not P-256. */
export async function openKeyRing(stateDir: string): Promise<KeyRing> {
  const noteFile = join(stateDir, 'snapshot-signer.json')
  const firstFile = join(stateDir, 'snapshot.key')
  const keys = new Map<string, RingKey>()
  const take = async (file: string, { privateKey, publicKey }: KeyPair): Promise<RingKey> => {
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new ConfigError(`${file}: is not a P-256 key`)
    }
    const bare = await exportJWK(publicKey)
    const kid = await calculateJwkThumbprint(bare)
    const key = { kid, publicJwk: { ...bare, kid, alg: 'ES256', use: 'sig' }, file, privateKey }
    keys.set(kid, key)
    return key
  }
  const ensureFile = async (file: string): Promise<RingKey> =>
    [...keys.values()].find((key) => key.file === file) ??
    take(file, await ensureKeyFile(file, 'P-256'))
  for (const name of existsSync(stateDir) ? readdirSync(stateDir) : []) {
    if (!/^snapshot(-\d+)?\.key$/.test(name)) continue
    const file = join(stateDir, name)
    await take(file, openKeyFile(file))
  }
  let note = existsSync(noteFile)
    ? (JSON.parse(readFileSync(noteFile, 'utf8')) as SignerNote)
    : undefined
  return {
    get: (kid) => keys.get(kid),
    get first() {
      return [...keys.values()].find(({ file }) => file === firstFile)
    },
    ensureFirst: () => ensureFile(firstFile),
    ensure: (anchorNumber) => ensureFile(join(stateDir, `snapshot-${anchorNumber}.key`)),
    remove: (kid) => {
      const key = keys.get(kid)
      if (key === undefined) return
      rmSync(key.file, { force: true })
      keys.delete(kid)
    },
    get note() {
      return note
    },
    writeNote: (next) => {
      writePrivateFileDurably(noteFile, `${JSON.stringify(next)}\n`)
      note = next
    },
  }
}

/** Signs an anchor statement (protocol/README.md §7.10). */
export const anchorSigner = ({ kid, privateKey }: RingKey): AnchorSigner => ({
  alg: 'ES256',
  kid,
  sign: (input) =>
    sign('sha256', Buffer.from(input, 'ascii'), { key: privateKey, dsaEncoding: 'ieee-p1363' }),
})
