import { generateKeyPairSync, verify } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import {
  ensureKeyFile,
  generateKey,
  keyFault,
  openKeyFile,
  openSigningKey,
  readPassphrase,
} from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import { openssl, temporaryFolder } from './support.ts'

const PASSPHRASE = 'ពាក្យសម្ងាត់ of some length'

/** The message of the ConfigError that a call throws. */
function messageOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  return expect.fail('nothing was thrown')
}

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

describe('encrypted key files', () => {
  it.each(['P-256', 'P-384', 'RSA-2048'] as const)(
    'are made at the first start and opened by us and openssl: %s',
    async (kind) => {
      const file = join(temporaryFolder(), 'root.key')
      const made = await ensureKeyFile(file, kind, { passphrase: PASSPHRASE })
      expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(readFileSync(file, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
      const again = await ensureKeyFile(file, kind, { passphrase: PASSPHRASE })
      expect(again.privateKey.equals(made.privateKey)).toBe(true)
      const pass = ['-passin', `pass:${PASSPHRASE}`]
      const { output } = await openssl('pkey', '-in', file, pass, '-pubout')
      expect(output).toBe(made.publicKey.export({ type: 'spki', format: 'pem' }))
    },
  )

  it('say by AES-256 and scrypt how they are encrypted', async () => {
    const file = join(temporaryFolder(), 'root.key')
    await ensureKeyFile(file, 'P-256', { passphrase: PASSPHRASE })
    const { output } = await openssl('asn1parse', '-in', file)
    expect(output).toMatch(/PBES2[^]*scrypt[^]*4000\n[^]*08\n[^]*05\n[^]*aes-256-cbc/)
  })

  it('are opened when openssl made them', async () => {
    const folder = temporaryFolder()
    const [plain, file] = [join(folder, 'plain.key'), join(folder, 'openssl.key')]
    const { privateKey } = await ensureKeyFile(plain, 'P-256')
    const pass = ['-passout', `pass:${PASSPHRASE}`]
    await openssl('pkcs8', '-topk8', '-in', plain, '-out', file, '-v2', 'aes-256-cbc', pass)
    chmodSync(file, 0o600)
    expect(openKeyFile(file, { passphrase: PASSPHRASE }).privateKey.equals(privateKey)).toBe(true)
  })

  it('are refused without the right passphrase, in words that do not tell it', async () => {
    const file = join(temporaryFolder(), 'root.key')
    await ensureKeyFile(file, 'P-256', { passphrase: PASSPHRASE })
    const without = messageOf(() => openKeyFile(file))
    expect(without).toContain(file)
    expect(without).toContain('passphrase')
    const wrong = messageOf(() => openKeyFile(file, { passphrase: 'another one' }))
    expect(wrong).toContain(file)
    expect(wrong).not.toContain('another one')
  })

  it('are refused when a byte was changed or the rest is missing', async () => {
    const file = join(temporaryFolder(), 'root.key')
    await ensureKeyFile(file, 'P-256', { passphrase: PASSPHRASE })
    const [, body = ''] = readFileSync(file, 'utf8').split(/-----[A-Z ]+-----/)
    const der = Buffer.from(body, 'base64')
    const write = (bytes: Buffer): void =>
      writeFileSync(
        file,
        `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END ENCRYPTED PRIVATE KEY-----\n`,
      )
    // In the last block: padding that is wrong.
    for (const place of [3, 20, der.length - 20, der.length - 1]) {
      const altered = Buffer.from(der)
      altered[place]! ^= 0x55
      write(altered)
      expect(messageOf(() => openKeyFile(file, { passphrase: PASSPHRASE }))).toContain(file)
    }
    write(der.subarray(0, 100))
    expect(messageOf(() => openKeyFile(file, { passphrase: PASSPHRASE }))).toContain(file)
  })

  it('take the place of a plain one as soon as there is a passphrase', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'root.key')
    const made = await ensureKeyFile(file, 'P-256')
    const link = join(folder, 'link.key')
    symlinkSync(file, link)
    const opened = openKeyFile(link, { passphrase: PASSPHRASE })
    expect(opened.privateKey.equals(made.privateKey)).toBe(true)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readFileSync(file, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(messageOf(() => openKeyFile(file))).toContain('encrypted')
    expect(openKeyFile(file, { passphrase: PASSPHRASE }).publicKey.equals(made.publicKey)).toBe(
      true,
    )
  })

  it('do not take the place of a file that holds a certificate too, or that cannot be replaced', async () => {
    const folder = temporaryFolder()
    const file = join(folder, 'both.pem')
    await ensureKeyFile(file, 'P-256')
    const block = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
    const both = readFileSync(file, 'utf8') + block
    writeFileSync(file, both)
    expect(messageOf(() => openKeyFile(file, { passphrase: PASSPHRASE }))).toContain('more than')
    expect(readFileSync(file, 'utf8')).toBe(both)

    const other = join(folder, 'other.key')
    await ensureKeyFile(other, 'P-256')
    mkdirSync(`${other}.new`) // nothing can be written there
    expect(messageOf(() => openKeyFile(other, { passphrase: PASSPHRASE }))).toContain('openssl')
  })
})

describe('a passphrase', () => {
  const ENV = 'SPEAN_TEST_PASSPHRASE'
  afterEach(() => {
    delete process.env[ENV]
  })

  it('is the content of a file, without the line end behind it', () => {
    const file = join(temporaryFolder(), 'passphrase')
    for (const [content, passphrase] of [
      ['secret', 'secret'],
      ['secret\n', 'secret'],
      ['secret\r\n', 'secret'],
      [' two words \n', ' two words '],
    ] as const) {
      writeFileSync(file, content, { mode: 0o600 })
      expect(readPassphrase({ file, env: ENV })).toBe(passphrase)
    }
  })

  it('is the value of the environment variable when no file is named, or none', () => {
    expect(readPassphrase({ env: ENV })).toBeUndefined()
    process.env[ENV] = 'from the environment'
    expect(readPassphrase({ env: ENV })).toBe('from the environment')
    const file = join(temporaryFolder(), 'passphrase')
    writeFileSync(file, 'from the file', { mode: 0o600 })
    expect(readPassphrase({ file, env: ENV })).toBe('from the file')
  })

  it('is refused when it is empty, of two lines, readable by others, or its file is missing', () => {
    const file = join(temporaryFolder(), 'passphrase')
    for (const content of ['', '\n', 'secret\nmore', 'secret\n\n']) {
      writeFileSync(file, content, { mode: 0o600 })
      const message = messageOf(() => readPassphrase({ file, env: ENV }))
      expect(message).toContain(file)
      expect(message).not.toContain('secret')
    }
    chmodSync(file, 0o640)
    expect(messageOf(() => readPassphrase({ file, env: ENV }))).toContain('chmod 600')
    rmSync(file)
    process.env[ENV] = 'not asked for'
    expect(messageOf(() => readPassphrase({ file, env: ENV }))).toContain(file)
    process.env[ENV] = ''
    expect(messageOf(() => readPassphrase({ env: ENV }))).toContain(ENV)
  })
})

describe('a signing key that a configuration names', () => {
  it('is a file, plain or encrypted, and signs', async () => {
    for (const options of [{}, { passphrase: PASSPHRASE }]) {
      const file = join(temporaryFolder(), 'signing.key')
      const made = await ensureKeyFile(file, 'P-256', options)
      await using key = await openSigningKey(file, options)
      const signature = await key.sign(Buffer.from('bytes'), { hash: 'sha256' })
      expect(verify('sha256', Buffer.from('bytes'), made.publicKey, signature)).toBe(true)
    }
  })

  it('is refused when it is missing or weak', async () => {
    const file = join(temporaryFolder(), 'signing.key')
    await expect(openSigningKey(file)).rejects.toThrow(ConfigError)
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await expect(openSigningKey(file)).rejects.toThrow(ConfigError)
  })
})
