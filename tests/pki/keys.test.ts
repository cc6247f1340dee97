import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ensureKeyFile, generateKey, keyFault, openKeyFile } from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import { temporaryFolder } from './support.ts'

describe('keys', () => {
  it('makes a key file at the first start that only its owner can read', async () => {
    const file = join(temporaryFolder(), 'new', 'signing.key')
    const made = await ensureKeyFile(file, 'P-256')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const again = await ensureKeyFile(file, 'P-256')
    expect(again.publicKey.equals(made.publicKey)).toBe(true)
    expect(openKeyFile(file).privateKey.equals(made.privateKey)).toBe(true)
  })

  it('refuses a key file that others can read', async () => {
    const file = join(temporaryFolder(), 'signing.key')
    await ensureKeyFile(file, 'P-256')
    chmodSync(file, 0o644)
    expect(() => openKeyFile(file)).toThrow(ConfigError)
  })

  it('refuses a key file that is missing or holds no key', () => {
    const file = join(temporaryFolder(), 'signing.key')
    expect(() => openKeyFile(file)).toThrow(ConfigError)
    writeFileSync(file, 'not a key', { mode: 0o600 })
    expect(() => openKeyFile(file)).toThrow(ConfigError)
  })

  it('accepts the keys it makes, and finds fault with weaker ones', async () => {
    for (const kind of ['P-256', 'P-384', 'RSA-2048'] as const) {
      expect(keyFault((await generateKey(kind)).publicKey)).toBeUndefined()
    }
    const weak = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey,
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey,
      generateKeyPairSync('x25519').publicKey,
    ]
    for (const key of weak) expect(keyFault(key)).toBeTypeOf('string')
  })
})
