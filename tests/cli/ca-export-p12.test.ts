import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { addExportP12Command } from '../../cli/commands/ca-export-p12.ts'
import { subjectOf } from '../../pki/identity.ts'
import { issueCertificate } from '../../pki/issue.ts'
import { ensureKeyFile, generateKey } from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import { GATEWAY, name, temporaryFolder } from '../pki/support.ts'
import { judge } from '../support/programs.ts'

const PASSPHRASE = 'of the key file'
const printed: string[] = []
const warnings: string[] = []

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line))
  vi.spyOn(console, 'error').mockImplementation((line: string) => void warnings.push(line))
})
afterEach(() => {
  vi.restoreAllMocks()
  printed.length = warnings.length = 0
})

interface Files {
  readonly key: string
  readonly certificate: string
  readonly chain: string
  readonly out: string
}

async function makeFiles(options: { at?: Date; passphrase?: string } = {}): Promise<Files> {
  const { at = new Date(), passphrase } = options
  const folder = temporaryFolder()
  const files = {
    key: join(folder, 'client.key'),
    certificate: join(folder, 'client.pem'),
    chain: join(folder, 'chain.pem'),
    out: join(folder, 'client.p12'),
  }
  const rootKey = await generateKey('P-256')
  const { publicKey } = await ensureKeyFile(files.key, 'P-256', { passphrase })
  const root = await issueCertificate({
    profile: 'root-authority',
    subject: name('root'),
    publicKey: rootKey.publicKey,
    issuer: { key: rootKey },
    at,
  })
  const certificate = await issueCertificate({
    profile: 'information-system',
    subject: subjectOf({ instance: 'KH-TEST', memberClass: 'GOV', member: GATEWAY.member }),
    publicKey,
    issuer: { certificate: root, key: rootKey },
    at,
    lifetimeMs: 60_000,
  })
  writeFileSync(files.certificate, certificate.pem)
  writeFileSync(files.chain, certificate.pem + root.pem)
  return files
}

function exportP12(files: Files, ...args: string[]): Promise<unknown> {
  const ca = new Command('ca').exitOverride()
  addExportP12Command(ca)
  const { key, certificate, chain, out } = files
  const named = ['--key', key, '--certificate', certificate, '--chain', chain, '--out', out]
  return ca.parseAsync(['export-p12', ...named, ...args], { from: 'user' })
}

const opens = async (file: string, password: string): Promise<string> =>
  (await judge('openssl', 'pkcs12', '-in', file, '-nodes', '-passin', `pass:${password}`)).output

it('makes a random password, says where it is, and not what it is', async () => {
  const files = await makeFiles()
  await exportP12(files)
  const file = `${files.out}.password`
  const password = readFileSync(file, 'utf8').trim()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(files.out).mode & 0o777).toBe(0o600)
  expect(password.length).toBeGreaterThanOrEqual(22)
  expect(printed.join('\n')).toContain(file)
  expect(printed.join('\n')).not.toContain(password)
  expect(warnings).toEqual([])
  const output = await opens(files.out, password)
  expect(output.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  expect(output).toContain(readFileSync(files.key, 'utf8'))
})

it('takes the password of a file, and a name', async () => {
  const files = await makeFiles()
  const passwordFile = `${files.key}.p12-password`
  writeFileSync(passwordFile, 'given\n', { mode: 0o600 })
  await exportP12(files, '--password-file', passwordFile, '--name', 'KYC')
  expect(existsSync(`${files.out}.password`)).toBe(false)
  expect(await opens(files.out, 'given')).toContain('friendlyName: KYC')
})

it('opens an encrypted key, and leaves it as it is', async () => {
  const files = await makeFiles({ passphrase: PASSPHRASE })
  const before = readFileSync(files.key, 'utf8')
  const passphraseFile = `${files.key}.passphrase`
  writeFileSync(passphraseFile, PASSPHRASE, { mode: 0o600 })
  await expect(exportP12(files)).rejects.toThrow(ConfigError)
  await exportP12(files, '--key-passphrase-file', passphraseFile)
  expect(readFileSync(files.key, 'utf8')).toBe(before)
  const plain = await makeFiles()
  const plainBefore = readFileSync(plain.key, 'utf8')
  await exportP12(plain, '--key-passphrase-file', passphraseFile)
  expect(readFileSync(plain.key, 'utf8')).toBe(plainBefore)
})

it('replaces a file only when told to', async () => {
  const files = await makeFiles()
  await exportP12(files)
  const [bundle, password] = [files.out, `${files.out}.password`].map((file) => readFileSync(file))
  await expect(exportP12(files)).rejects.toThrow(ConfigError)
  expect(readFileSync(files.out).equals(bundle!)).toBe(true)
  expect(readFileSync(`${files.out}.password`).equals(password!)).toBe(true)
  await exportP12(files, '--force')
  expect(readFileSync(files.out).equals(bundle!)).toBe(false)
})

it('refuses a key that is not that of the certificate, and files that hold none', async () => {
  const files = await makeFiles()
  const other = await makeFiles()
  await expect(exportP12({ ...files, key: other.key })).rejects.toThrow(ConfigError)
  await expect(exportP12({ ...files, certificate: files.key })).rejects.toThrow(ConfigError)
  await expect(exportP12({ ...files, chain: '/nowhere' })).rejects.toThrow(ConfigError)
  const broken = `${files.chain}.broken`
  writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n')
  await expect(exportP12({ ...files, chain: broken })).rejects.toThrow(ConfigError)
  expect(existsSync(files.out)).toBe(false)
})

it('warns of a certificate that has expired, and of a chain without its issuer', async () => {
  const files = await makeFiles({ at: new Date(Date.now() - 3_600_000) })
  await exportP12({ ...files, chain: files.certificate })
  expect(warnings).toHaveLength(2)
  expect(warnings[0]).toContain('expired')
  expect(warnings[1]).toContain('--chain')
})
