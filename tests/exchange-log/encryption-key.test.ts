import { createSecretKey, randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  EncryptionKeyMismatch,
  NONCE_BYTES,
  openEncryptionKey,
  type EncryptionKey,
} from '../../exchange-log/encryption-key.ts'
import { createRecordKeys } from '../../exchange-log/record-keys.ts'
import { createSoftHsm, type SoftHsm } from '../support/soft-hsm.ts'
import { temporaryFolder } from '../pki/support.ts'
import { silent } from './support.ts'

const AAD = Buffer.from('context')
const PLAIN = randomBytes(32)
const nonce = randomBytes(NONCE_BYTES)

let hsm: SoftHsm
beforeAll(() => {
  hsm = createSoftHsm()
  hsm.tool('--keygen', '--key-type', 'AES:32', '--label', 'log', '--id', '11')
  hsm.tool('--keygen', '--key-type', 'AES:32', '--label', 'other', '--id', '12')
  hsm.makeKey('EC:prime256v1', 'signing', '13')
})
afterAll(() => hsm.dispose())

const inFile = (): Promise<EncryptionKey> =>
  openEncryptionKey(join(temporaryFolder(), 'key'), { mayMake: true })
const inToken = (path = 'object=log'): Promise<EncryptionKey> =>
  openEncryptionKey(hsm.uri(path), { mayMake: true })

describe.each<[string, () => Promise<EncryptionKey>, () => Promise<EncryptionKey>]>([
  ['a file', inFile, inFile],
  ['a token', inToken, () => inToken('object=other;type=secret-key')],
])('an encryption key in %s', (_name, open, another) => {
  it('opens what it encrypted, and nothing that was altered', async () => {
    const key = await open()
    const sealed = await key.encrypt(nonce, AAD, PLAIN)
    expect(sealed).toHaveLength(48)
    expect(sealed.includes(PLAIN.subarray(0, 8))).toBe(false)
    expect(await key.decrypt(nonce, AAD, sealed)).toEqual(PLAIN)
    const altered = Buffer.from(sealed)
    altered[3]! ^= 1
    for (const opening of [
      key.decrypt(nonce, AAD, altered),
      key.decrypt(nonce, Buffer.from('other'), sealed),
      key.decrypt(randomBytes(NONCE_BYTES), AAD, sealed),
      key.decrypt(nonce, AAD, sealed.subarray(0, -1)),
      (await another()).decrypt(nonce, AAD, sealed),
    ]) {
      await expect(opening).rejects.toThrow(EncryptionKeyMismatch)
    }
  })
})

it('a token and a file encrypt alike: AES-256-GCM, the tag behind', async () => {
  const value = randomBytes(32)
  const file = join(temporaryFolder(), 'key')
  writeFileSync(file, value, { mode: 0o600 })
  hsm.tool('--write-object', file, '--type', 'secrkey', '--key-type', 'AES:32', '--label', 'same')
  const key = await openEncryptionKey(file, { mayMake: false })
  const token = await inToken('object=same')
  const sealed = await key.encrypt(nonce, AAD, PLAIN)
  expect(await token.encrypt(nonce, AAD, PLAIN)).toEqual(sealed)
  expect(await token.decrypt(nonce, AAD, sealed)).toEqual(PLAIN)
})

describe('an encryption key in a token', () => {
  it.each([
    ['is missing', 'object=none', 'no such AES key'],
    ['is a signing key', 'object=signing', 'no such AES key'],
    ['is asked for as a private key', 'object=log;type=private', 'type is secret-key'],
  ])('is refused at the start when it %s', async (_name, path, words) => {
    await expect(inToken(path)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining(words) as string,
    })
  })

  it('fails while the token is away, and works when it is back', async () => {
    const key = await inToken()
    const sealed = await key.encrypt(nonce, AAD, PLAIN)
    hsm.takeAway()
    await expect(key.encrypt(nonce, AAD, PLAIN)).rejects.toMatchObject({ name: 'KeyError' })
    await expect(key.decrypt(nonce, AAD, sealed)).rejects.toMatchObject({ name: 'KeyError' })
    hsm.bringBack()
    await expect.poll(() => key.decrypt(nonce, AAD, sealed), { timeout: 10_000 }).toEqual(PLAIN)
  })
})

describe('an encryption key in a file', () => {
  const openFile = (file: string, passphrase?: string, mayMake = true): Promise<EncryptionKey> =>
    openEncryptionKey(file, { mayMake, passphrase })

  it('is made at the first start, for its owner alone, and is the same at the next', async () => {
    const file = join(temporaryFolder(), 'state', 'key')
    const sealed = await (await openFile(file)).encrypt(nonce, AAD, PLAIN)
    expect(statSync(file)).toMatchObject({ size: 32, mode: 0o100600 })
    expect(await (await openFile(file)).decrypt(nonce, AAD, sealed)).toEqual(PLAIN)
  })

  it('is encrypted where there is a passphrase, from the next start on when it was not', async () => {
    const file = join(temporaryFolder(), 'key')
    const sealed = await (await openFile(file)).encrypt(nonce, AAD, PLAIN)
    const plain = readFileSync(file)
    await openFile(file, 'ពាក្យ​សម្ងាត់')
    expect(readFileSync(file).includes(plain)).toBe(false)
    const again = await openFile(file, 'ពាក្យ​សម្ងាត់')
    expect(await again.decrypt(nonce, AAD, sealed)).toEqual(PLAIN)
    await expect(openFile(file, 'wrong')).rejects.toThrow(/does not open with/)
    await expect(openFile(file)).rejects.toThrow(/is encrypted; configure its passphrase/)
  })

  it('is refused when it is missing though needed, open to others, or something else', async () => {
    const dir = temporaryFolder()
    const file = join(dir, 'key')
    const refused = { name: 'ConfigError' }
    await expect(openFile(file, undefined, false)).rejects.toMatchObject(refused)
    await openFile(file)
    chmodSync(file, 0o640)
    await expect(openFile(file)).rejects.toMatchObject(refused)
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(31), Buffer.from('spean key 1\nshort')]) {
      writeFileSync(`${file}.other`, bytes, { mode: 0o600 })
      renameSync(`${file}.other`, file)
      await expect(openFile(file, 'passphrase')).rejects.toMatchObject(refused)
    }
  })
})

describe('keys of records', () => {
  const recordKey = createSecretKey(randomBytes(32))
  const context = Buffer.from('a record')

  it('ask a token once a day, and open by asking it once for each day', async () => {
    const key = await inToken()
    let asked = 0
    const counted: EncryptionKey = {
      name: key.name,
      encrypt: (...all) => ((asked += 1), key.encrypt(...all)),
      decrypt: (...all) => ((asked += 1), key.decrypt(...all)),
    }
    let now = new Date('2026-01-01T23:59:00Z')
    const deps = { key: counted, clock: () => now, logger: silent }
    const keys = await createRecordKeys(deps)
    const blobs = Array.from({ length: 50 }, () => keys.wrap(recordKey, context))
    expect(asked).toBe(1)
    expect(new Set(blobs.map((blob) => blob.toString('hex'))).size).toBe(50)
    now = new Date('2026-01-02T00:01:00Z')
    blobs.push(keys.wrap(recordKey, context))
    await expect.poll(() => asked).toBe(2)
    await expect
      .poll(() =>
        blobs.at(-1)!.subarray(1, 61).equals(keys.wrap(recordKey, context).subarray(1, 61)),
      )
      .toBe(false)
    blobs.push(keys.wrap(recordKey, context))

    const again = await createRecordKeys(deps)
    asked = 0
    for (const blob of blobs) {
      expect((await again.unwrap(blob, context)).equals(recordKey)).toBe(true)
      await expect(again.unwrap(blob, Buffer.from('another'))).rejects.toMatchObject({
        name: 'LogContentError',
      })
    }
    expect(asked).toBe(2)
  })

  it('go on with the key of the day before while the token is away', async () => {
    let now = new Date('2026-01-01T12:00:00Z')
    const keys = await createRecordKeys({ key: await inToken(), clock: () => now, logger: silent })
    now = new Date('2026-01-02T12:00:00Z')
    hsm.takeAway()
    const blob = keys.wrap(recordKey, context)
    await new Promise((done) => setTimeout(done, 50))
    const later = keys.wrap(recordKey, context)
    hsm.bringBack()
    for (const one of [blob, later]) {
      expect((await keys.unwrap(one, context)).equals(recordKey)).toBe(true)
    }
  })
})
