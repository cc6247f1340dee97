/** A time-stamping authority for tests, whose certificates the openssl program makes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import {
  DEFAULT_POLICY,
  openTimeStamping,
  type TimeStamping,
  type TimeStampingOptions,
} from '../../pki/authority/time-stamping.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { openKeyFile, type KeyKind, type KeyPair } from '../../pki/keys.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openssl, writeFiles } from './support.ts'

export interface TestTsa extends Disposable {
  /** Holds root.pem, tsa.pem, tsa.key, and root.key. */
  readonly folder: string
  readonly root: Certificate
  readonly certificate: Certificate
  readonly key: KeyPair
  /** Runs openssl, which must succeed, with names of files in the folder. */
  readonly run: (...args: string[]) => Promise<string>
  /** Answers with `key`, valid now, unless told otherwise. */
  readonly open: (changes?: Partial<TimeStampingOptions>) => TimeStamping
}

const NEW_KEY: Readonly<Partial<Record<KeyKind, string[]>>> = {
  'P-256': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-384': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  'RSA-2048': ['-newkey', 'rsa:2048'],
}

export const TSA_EXTENSIONS = `basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`

export async function createTsa(
  kind: KeyKind = 'P-256',
  { extensions = TSA_EXTENSIONS, days = 3650 } = {},
): Promise<TestTsa> {
  const folder = mkdtempSync(join(tmpdir(), 'spean-tsa-'))
  const run = (...args: string[]): Promise<string> => runIn(folder, args)
  writeFiles(folder, { 'tsa.ext': extensions })
  const newKey = NEW_KEY[kind] ?? []
  await run(
    ...['req', '-x509', ...newKey, '-nodes', '-keyout', 'root.key', '-out', 'root.pem'],
    ...['-subj', '/O=KH-TEST/CN=root', '-days', '7300'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  )
  await certify(run, newKey, days)
  const read = (file: string) => parseCertificate(readFileSync(join(folder, file), 'utf8'))
  const key = openKeyFile(join(folder, 'tsa.key'))
  const certificate = read('tsa.pem')
  return {
    folder,
    root: read('root.pem'),
    certificate,
    key,
    run,
    open: (changes = {}) =>
      openTimeStamping({
        key,
        certificate: () => Promise.resolve(certificate),
        chain: [],
        stateFile: join(folder, 'time-stamping.db'),
        clock: systemClock,
        policy: DEFAULT_POLICY,
        accuracyMs: 1000,
        ...changes,
      }),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function certify(run: TestTsa['run'], newKey: string[], days: number): Promise<void> {
  await run(
    ...['req', '-new', ...newKey, '-nodes', '-keyout', 'tsa.key', '-out', 'tsa.csr'],
    ...['-subj', '/O=KH-TEST/CN=អាជ្ញាធរត្រាពេលវេលា', '-utf8'],
  )
  await run(
    ...[
      'x509',
      '-req',
      '-in',
      'tsa.csr',
      '-CA',
      'root.pem',
      '-CAkey',
      'root.key',
      '-out',
      'tsa.pem',
    ],
    ...['-days', String(days), '-extfile', 'tsa.ext', '-CAcreateserial', '-sha256'],
  )
}

/** The openssl program, with every argument that names a file of the folder made a path to it. */
export async function runIn(folder: string, args: readonly string[]): Promise<string> {
  const paths = args.map((arg) => (/^[\w-]+\.[a-z]+$/.test(arg) ? join(folder, arg) : arg))
  const { exitCode, output } = await openssl(paths)
  expect(exitCode, output).toBe(0)
  return output
}
