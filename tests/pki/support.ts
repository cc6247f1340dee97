import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { CertificateError, type Certificate } from '../../pki/certificate.ts'
import { DerError } from '../../pki/der.ts'
import { encodeName } from '../../pki/distinguished-name.ts'
import { subjectOf, type CertificateIdentity } from '../../pki/identity.ts'
import { issueCertificate, type Issuer, type IssueRequest } from '../../pki/issue.ts'
import { generateKey, type KeyKind, type KeyPair } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { ExchangeError } from '../../protocol/errors.ts'

export const NOW = new Date('2026-03-01T08:00:00Z')
export const DAY_MS = 24 * 60 * 60_000

export const GATEWAY: CertificateIdentity = {
  instance: 'KH-TEST',
  memberClass: 'GOV',
  member: 'ក្រសួងមហាផ្ទៃ',
  gateway: 'MOI-1',
}

export const later = (days: number): Date => new Date(NOW.getTime() + days * DAY_MS)

/** A folder that goes when the test has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spean-pki-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Outcome {
  readonly exitCode: number
  readonly output: string
}

const run = promisify(execFile)

/** Runs the openssl program, which knows nothing of our code; standard output and error together. */
export async function openssl(...args: (string | string[])[]): Promise<Outcome> {
  try {
    const { stdout, stderr } = await run('openssl', args.flat())
    return { exitCode: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { exitCode: code, output: stdout + stderr }
  }
}

/** An issuer whose key can be handed to openssl. */
export interface TestIssuer extends Issuer {
  readonly key: KeyPair
}

export interface TestAuthority {
  readonly root: TestIssuer
  readonly issuing: TestIssuer
  /** Issues with the issuing authority at NOW unless told otherwise. */
  readonly issue: (
    request: Partial<IssueRequest> & Pick<IssueRequest, 'profile' | 'publicKey'>,
  ) => Promise<Certificate>
}

export function name(commonName: string): Buffer {
  return encodeName([
    { type: OID.organizationName, value: 'KH-TEST' },
    { type: OID.commonName, value: commonName },
  ])
}

export async function createTestAuthority(kind: KeyKind = 'P-256'): Promise<TestAuthority> {
  const [rootKey, issuingKey] = await Promise.all([generateKey(kind), generateKey(kind)])
  const root = {
    key: rootKey,
    certificate: await issueCertificate({
      profile: 'root-authority',
      subject: name('root'),
      publicKey: rootKey.publicKey,
      issuer: { key: rootKey },
      at: NOW,
    }),
  }
  const issuing = {
    key: issuingKey,
    certificate: await issueCertificate({
      profile: 'issuing-authority',
      subject: name('issuing'),
      publicKey: issuingKey.publicKey,
      issuer: root,
      at: NOW,
    }),
  }
  return {
    root,
    issuing,
    issue: (request) =>
      issueCertificate({ subject: subjectOf(GATEWAY), issuer: issuing, at: NOW, ...request }),
  }
}

/** A leaf under a new authority, with the key it speaks for. */
export async function createLeaf(kind: KeyKind = 'P-256'): Promise<{
  authority: TestAuthority
  key: KeyPair
  leaf: Certificate
}> {
  const authority = await createTestAuthority(kind)
  const key = await generateKey(kind)
  const leaf = await authority.issue({
    profile: 'authentication',
    publicKey: key.publicKey,
    subjectAltNames: ['gateway.moi.example', '127.0.0.1', '2001:db8::1'],
    ocspUrl: 'http://authority.example/ocsp',
    caIssuersUrl: 'http://authority.example/ca/issuing.cer',
  })
  return { authority, key, leaf }
}

/** Writes files into a folder and returns their paths in the same order. */
export function writeFiles(folder: string, files: Record<string, string | Uint8Array>): void {
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content)
}

/**
 * What reading spoilt input may come to: a value, or an error of a known class. Anything else, such
 * as a RangeError, is thrown on and fails the test.
 */
export function outcomeOf(read: () => unknown): 'read' | 'refused' {
  try {
    read()
    return 'read'
  } catch (error) {
    const isKnown = [DerError, CertificateError, ExchangeError].some(
      (kind) => error instanceof kind,
    )
    if (isKnown) return 'refused'
    throw error
  }
}

/** The input cut at every byte. */
export function* truncations(bytes: Buffer): Generator<Buffer> {
  for (let length = 0; length < bytes.length; length += 1) yield bytes.subarray(0, length)
}

/** The input with one byte changed, at up to `count` places over its whole length. */
export function* alterations(bytes: Buffer, count = 400): Generator<Buffer> {
  const step = Math.max(1, Math.floor(bytes.length / count))
  for (let place = 0; place < bytes.length; place += step) {
    for (const mask of [0x01, 0x80]) {
      const altered = Buffer.from(bytes)
      altered[place]! ^= mask
      yield altered
    }
  }
}
