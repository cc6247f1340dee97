import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import { subjectOf } from '../../pki/identity.ts'
import { issueCertificate } from '../../pki/issue.ts'
import { generateKey, type KeyKind, type KeyPair } from '../../pki/keys.ts'
import { createPkcs12 } from '../../pki/pkcs12.ts'
import { ConfigError } from '../../runtime/config.ts'
import { judge } from '../support/programs.ts'
import { GATEWAY, name, NOW } from './support.ts'

const PASSWORD = 'correct horse ~ battery'
const NAME = 'ក្រសួងមហាផ្ទៃ'
const pass = (password: string): string[] => ['-passin', `pass:${password}`]
const store = (password: string): string[] => ['-storetype', 'PKCS12', '-storepass', password]

interface Bundle {
  readonly file: string
  readonly folder: string
  readonly key: KeyPair
  readonly certificate: Certificate
  readonly root: Certificate
  readonly p12: Buffer
}

async function makeBundle(kind: KeyKind): Promise<Bundle> {
  const [rootKey, key] = await Promise.all([generateKey('P-256'), generateKey(kind)])
  const root = await issueCertificate({
    profile: 'root-authority',
    subject: name('root'),
    publicKey: rootKey.publicKey,
    issuer: { key: rootKey },
    at: NOW,
  })
  const certificate = await issueCertificate({
    profile: 'authentication',
    subject: subjectOf(GATEWAY),
    publicKey: key.publicKey,
    issuer: { certificate: root, key: rootKey },
    at: NOW,
  })
  const { privateKey } = key
  const contents = { privateKey, certificate, chain: [root], password: PASSWORD }
  const p12 = createPkcs12({ ...contents, friendlyName: NAME })
  const folder = mkdtempSync(join(tmpdir(), 'spean-p12-'))
  const file = join(folder, 'bundle.p12')
  writeFileSync(file, p12)
  return { file, folder, key, certificate, root, p12 }
}

const fingerprint = ({ der }: Certificate): string =>
  createHash('sha256')
    .update(der)
    .digest('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:')

const bundles = new Map<KeyKind, Bundle>()
const KINDS = ['P-256', 'P-384', 'RSA-2048'] as const
beforeAll(async () => {
  for (const kind of KINDS) bundles.set(kind, await makeBundle(kind))
  return () => {
    for (const { folder } of bundles.values()) rmSync(folder, { recursive: true })
  }
})

/** Changes the file of a bundle until the test has ended. */
function alter({ file, p12 }: Bundle, place: number): void {
  const altered = Buffer.from(p12)
  altered[place]! ^= 0x01
  writeFileSync(file, altered)
  onTestFinished(() => writeFileSync(file, p12))
}

describe.each(KINDS)('a PKCS#12 file, %s', (kind) => {
  it('is opened by openssl: the key, its certificate, the chain', async () => {
    const { file, key, certificate, root } = bundles.get(kind)!
    const read = async (...args: string[]): Promise<string> =>
      (await judge('openssl', 'pkcs12', '-in', file, pass(PASSWORD), args)).output
    const info = await read('-info', '-nokeys')
    expect(info).toContain('MAC: sha256, Iteration 100000')
    expect(info).toMatch(/PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256/)
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(await read('-nocerts', '-nodes')).toContain(pem)
    expect(await read('-clcerts', '-nokeys')).toContain(certificate.pem)
    expect(await read('-cacerts', '-nokeys')).toContain(root.pem)
  })

  it('is refused by openssl with another password, and after any byte was changed', async () => {
    const bundle = bundles.get(kind)!
    const { file, p12 } = bundle
    const open = (password: string) =>
      judge('openssl', 'pkcs12', '-in', file, '-noout', pass(password))
    expect((await open(PASSWORD)).exitCode).toBe(0)
    expect((await open('another')).exitCode).not.toBe(0)
    const step = Math.ceil(p12.length / 24)
    for (let place = 7; place < p12.length; place += step) {
      alter(bundle, place)
      expect({ place, exitCode: (await open(PASSWORD)).exitCode }).not.toEqual({
        place,
        exitCode: 0,
      })
    }
  })

  it('is opened by keytool, under its Khmer name, with the chain in order', async () => {
    const { file, certificate, root } = bundles.get(kind)!
    const utf8 = ['-J-Dfile.encoding=UTF-8', '-J-Dstdout.encoding=UTF-8', '-J-Duser.language=en']
    const listed = await judge('keytool', utf8, '-list', '-v', '-keystore', file, store(PASSWORD))
    expect(listed.output).toContain('Your keystore contains 1 entry')
    expect(listed.output).toContain(`Alias name: ${NAME}`)
    expect(listed.output).toContain('Entry type: PrivateKeyEntry')
    expect(listed.output).toContain('Certificate chain length: 2')
    const [first, second] = [fingerprint(certificate), fingerprint(root)]
    expect(listed.output).toMatch(new RegExp(`SHA256: ${first}[^]*SHA256: ${second}`))
  })

  it('is imported by keytool with the key in it', async () => {
    const { file, folder, key } = bundles.get(kind)!
    const java = join(folder, 'java.p12')
    const imported = await judge(
      'keytool',
      ['-importkeystore', '-noprompt', '-srckeystore', file, '-srcstoretype', 'PKCS12'],
      ['-srcstorepass', PASSWORD, '-destkeystore', java, '-deststoretype', 'PKCS12'],
      ['-deststorepass', 'changeit'],
    )
    expect(imported).toMatchObject({ exitCode: 0 })
    const again = ['pkcs12', '-in', java, '-nocerts', '-nodes', ...pass('changeit')]
    expect((await judge('openssl', again)).output).toContain(
      key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    )
  })
})

it.each(KINDS)(
  'is refused by keytool with another password, and after a byte was changed, %s',
  async (kind) => {
    const bundle = bundles.get(kind)!
    const { file, p12 } = bundle
    const list = (password: string) => judge('keytool', '-list', '-keystore', file, store(password))
    expect((await list(PASSWORD)).exitCode).toBe(0)
    expect((await list('another')).exitCode).not.toBe(0)
    for (const place of [60, p12.length >> 1, p12.length - 40]) {
      alter(bundle, place)
      expect({ place, exitCode: (await list(PASSWORD)).exitCode }).not.toEqual({
        place,
        exitCode: 0,
      })
    }
  },
)

it('does not hold the key or the password in the clear', () => {
  const { file, key } = bundles.get('P-256')!
  const bytes = readFileSync(file)
  const secret = Buffer.from(key.privateKey.export({ format: 'jwk' }).d!, 'base64url')
  expect(bytes.includes(secret)).toBe(false)
  expect(bytes.includes(PASSWORD)).toBe(false)
})

it('has no password that programs would read differently', () => {
  const { key, certificate } = bundles.get('P-256')!
  for (const password of ['', 'ពាក្យ', 'é', 'a\n']) {
    const contents = { privateKey: key.privateKey, certificate, chain: [], password }
    expect(() => createPkcs12({ ...contents, friendlyName: 'x' })).toThrow(ConfigError)
  }
})
