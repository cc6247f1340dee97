import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CredentialSlot } from '../../gateway/credentials/credential.ts'
import { openCredentialStore, type CredentialStore } from '../../gateway/credentials/store.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import {
  createTestAuthority,
  DAY_MS,
  later,
  temporaryFolder,
  type TestAuthority,
} from '../pki/support.ts'
import { silent } from './support.ts'

/** Keys without a passphrase; nothing of them is to be closed. */
const plain = { passphrase: undefined, scope: new AsyncDisposableStack() }

const IDENTITY = { instance: 'KH-TEST', memberClass: 'GOV', member: 'REG' }
const SLOT: CredentialSlot = { kind: 'signing', owner: 'KH-TEST/GOV/REG' }
const GATEWAY: CredentialSlot = { kind: 'authentication', owner: 'KH-TEST/GOV/REG/REG-1' }

let authority: TestAuthority
let dir: string
let key: KeyPair
let csr: Buffer
beforeAll(async () => {
  authority = await createTestAuthority()
  key = await generateKey('P-256')
  csr = (await createCsr({ identity: IDENTITY, key })).der
})
beforeEach(() => {
  dir = join(temporaryFolder(), 'credentials')
})

const open = (): Promise<CredentialStore> =>
  openCredentialStore({ dir, configured: [], logger: silent, ...plain })
const certify = async (
  publicKey = key.publicKey,
  profile: 'signing' | 'authentication' = 'signing',
): Promise<Certificate[]> => {
  const identity = profile === 'signing' ? IDENTITY : { ...IDENTITY, gateway: 'REG-1' }
  const certificate = await authority.issue({
    profile,
    publicKey,
    subject: subjectOf(identity),
    lifetimeMs: DAY_MS,
  })
  return [certificate, authority.issuing.certificate]
}

describe('the store of credentials', () => {
  it('keeps its keys encrypted when those of the configuration are', async () => {
    const locked = { ...plain, passphrase: 'correct horse' }
    const options = { dir, configured: [], logger: silent, ...locked }
    const { id } = (await openCredentialStore(options)).begin(SLOT, key, csr)
    const text = readFileSync(join(dir, `${id}.key`), 'utf8')
    expect(text).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    const again = await openCredentialStore(options)
    const installed = await again.install(again.pending(SLOT)!, await certify())
    expect(installed.key.publicKey.equals(key.publicKey)).toBe(true)
  })

  it('goes on after a restart where it was, at each point', async () => {
    const first = await open()
    expect(first.pending(SLOT)).toBeUndefined()
    const begun = first.begin(SLOT, key, csr)

    const second = await open()
    const pending = second.pending(SLOT)!
    expect(pending).toEqual(begun)
    expect(parseCsr(pending.csr).publicKey.equals(key.publicKey)).toBe(true)
    expect(second.of(SLOT)).toEqual([])
    const [certificate] = await certify()
    const installed = await second.install(pending, await certify())
    expect(installed.certificate.subject).toBe(certificate!.subject)
    expect(second.pending(SLOT)).toBeUndefined()

    const third = await open()
    expect(third.pending(SLOT)).toBeUndefined()
    const [kept] = third.of(SLOT)
    expect(kept!.certificate.thumbprint).toBe(installed.certificate.thumbprint)
    expect(kept!.chain).toContain(authority.issuing.certificate.pem)
    const signature = await kept!.key.sign(Buffer.from('x'), { hash: 'sha256' })
    expect(signature.length).toBeGreaterThan(60)
    expect(kept!.tlsKey).toBeUndefined()
  })

  it('is for its owner only', async () => {
    const store = await open()
    await store.install(store.begin(SLOT, key, csr), await certify())
    for (const name of readdirSync(dir)) {
      expect(statSync(join(dir, name)).mode & 0o077).toBe(0)
    }
  })

  it.each([
    ['a key without its record', 'aa.key', 'key'],
    ['a file that was not finished', 'aa.json.new', '{'],
  ])('clears away what a kill left: %s', async (_name, file, text) => {
    const store = await open()
    await store.install(store.begin(SLOT, key, csr), await certify())
    writeFileSync(join(dir, file), text, { mode: 0o600 })
    const again = await open()
    expect(again.of(SLOT)).toHaveLength(1)
    expect(readdirSync(dir)).not.toContain(file)
  })

  it('passes over a damaged record, and keeps its key for a person to look at', async () => {
    const store = await open()
    store.begin(SLOT, key, csr)
    const record = readdirSync(dir).find((name) => name.endsWith('.json'))!
    writeFileSync(join(dir, record), '{"version":', { mode: 0o600 })
    const again = await open()
    expect(again.pending(SLOT)).toBeUndefined()
    expect(readdirSync(dir)).toHaveLength(2)
  })

  it.each<[string, () => Promise<Certificate[]>]>([
    ['of another key', async () => certify((await generateKey('P-256')).publicKey)],
    ['of another kind', async () => certify(key.publicKey, 'authentication')],
    ['that is none', async () => []],
  ])('does not take a certificate %s', async (_name, certificates) => {
    const store = await open()
    const pending = store.begin(SLOT, key, csr)
    await expect(store.install(pending, await certificates())).rejects.toThrow(ConfigError)
    expect(store.pending(SLOT)).toEqual(pending)
    expect((await open()).pending(SLOT)).toEqual(pending)
  })

  it('keeps kinds and owners apart, the newest first, and has the TLS key as a text', async () => {
    const store = await open()
    await store.install(store.begin(SLOT, key, csr), await certify())
    const tls = await generateKey('P-256')
    const pending = store.begin(GATEWAY, tls, csr)
    await store.install(pending, await certify(tls.publicKey, 'authentication'))
    expect(store.of(SLOT)).toHaveLength(1)
    expect(store.of(GATEWAY)[0]!.tlsKey).toContain('PRIVATE KEY')
    expect(store.all()).toHaveLength(2)
  })

  it('removes what ended long ago, with its key', async () => {
    const store = await open()
    await store.install(store.begin(SLOT, key, csr), await certify())
    store.removeEnded(later(2))
    expect(store.of(SLOT)).toHaveLength(1)
    store.removeEnded(later(6))
    expect(store.of(SLOT)).toEqual([])
    expect(readdirSync(dir)).toEqual([])
  })

  it('forgets a request that is not granted', async () => {
    const store = await open()
    store.discard(store.begin(SLOT, key, csr))
    expect(store.pending(SLOT)).toBeUndefined()
    expect(readdirSync(dir)).toEqual([])
  })
})
