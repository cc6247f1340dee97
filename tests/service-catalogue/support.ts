import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, fetch } from 'undici'
import { afterAll } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import { encodeName } from '../../pki/distinguished-name.ts'
import { subjectOf, type CertificateIdentity } from '../../pki/identity.ts'
import { issueCertificate, type Issuer } from '../../pki/issue.ts'
import { generateKey } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import type { Problem } from '../../protocol/problem.ts'
import { verifySnapshot, type Anchor, type Snapshot } from '../../protocol/snapshot.ts'
import { createLogger } from '../../runtime/logger.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import type { CatalogueConfig } from '../../service-catalogue/config.ts'
import { startCatalogue, type Catalogue } from '../../service-catalogue/server.ts'
import { committedDescription, createAnswerCheck } from '../support/described-api.ts'

export const INSTANCE = 'KH-DEV'

const faultOf = createAnswerCheck(committedDescription('catalogue'))

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** Removed when the tests of the file are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'catalogue-'))
  folders.push(folder)
  return folder
}

const named = (name: string): Buffer => encodeName([{ type: OID.commonName, value: name }])

export interface TestAuthority {
  readonly root: Issuer
  readonly issuing: Issuer
  /** Root first, as the catalogue takes them. */
  readonly pems: string[]
  issue(
    profile: 'signing' | 'authentication' | 'information-system',
    identity: CertificateIdentity,
    life?: { at?: Date; validityDays?: number },
  ): Promise<Certificate>
}

export async function createAuthority(name = 'Test', at = new Date()): Promise<TestAuthority> {
  const rootKeys = await generateKey('P-256')
  const rootCertificate = await issueCertificate({
    profile: 'root-authority',
    subject: named(`${name} Root`),
    publicKey: rootKeys.publicKey,
    issuer: { key: rootKeys },
    at,
  })
  const root = { certificate: rootCertificate, key: rootKeys }
  const keys = await generateKey('P-256')
  const certificate = await issueCertificate({
    profile: 'issuing-authority',
    subject: named(`${name} Issuing`),
    publicKey: keys.publicKey,
    issuer: root,
    at,
  })
  const issuing = { certificate, key: keys }
  return {
    root,
    issuing,
    pems: [root.certificate.pem, certificate.pem],
    issue: async (profile, identity, { at: issuedAt = at, validityDays = 100 } = {}) => {
      const { publicKey } = await generateKey('P-256')
      const subject = subjectOf(identity)
      return issueCertificate({
        profile,
        subject,
        publicKey,
        issuer: issuing,
        at: issuedAt,
        lifetimeMs: validityDays * 86_400_000,
      })
    },
  }
}

/** Writes a fresh HTTPS certificate and its key where `config` expects them. */
export async function writeServerCertificate(
  authority: TestAuthority,
  config: Pick<CatalogueConfig, 'tlsCertificateFile' | 'tlsKeyFile'>,
): Promise<Certificate> {
  const { publicKey, privateKey } = await generateKey('P-256')
  const certificate = await issueCertificate({
    profile: 'server',
    subject: named('catalogue'),
    publicKey,
    issuer: authority.issuing,
    at: new Date(),
    subjectAltNames: ['localhost', '127.0.0.1'],
  })
  writePrivateFile(config.tlsKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(config.tlsCertificateFile, certificate.pem + authority.issuing.certificate.pem)
  return certificate
}

/** A configuration with all its files, in a new folder. */
export async function createConfig(
  authority: TestAuthority,
  overrides: Partial<CatalogueConfig> = {},
): Promise<CatalogueConfig> {
  const folder = temporaryFolder()
  const config: CatalogueConfig = {
    instance: INSTANCE,
    stateDir: join(folder, 'state'),
    host: '127.0.0.1',
    port: 0,
    tlsCertificateFile: join(folder, 'tls.pem'),
    tlsKeyFile: join(folder, 'tls.key'),
    rootCertificateFile: join(folder, 'root.pem'),
    snapshotLifetimeHours: 24,
    memberClasses: ['GOV', 'COM', 'ORG'],
    registration: 'open',
    ...overrides,
  }
  writeFileSync(config.rootCertificateFile, authority.root.certificate.pem)
  await writeServerCertificate(authority, config)
  return config
}

export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly text: string
  readonly body: Record<string, unknown> & Partial<Problem>
}

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly token?: string | undefined
  readonly signal?: AbortSignal
}

export type Call = (method: string, path: string, options?: CallOptions) => Promise<Answer>

/** Calls a catalogue over real HTTPS, trusting the authority's root. */
export function createCaller(url: string, token: string, rootPem: string): Call & AsyncDisposable {
  const dispatcher = new Agent({ connect: { ca: rootPem } })
  const call: Call = async (method, path, options = {}) => {
    const bearer = 'token' in options ? options.token : token
    const { body, signal } = options
    const response = await fetch(`${url}${path}`, {
      method,
      dispatcher,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
    const text = await response.text()
    const [mediaType = ''] = (response.headers.get('content-type') ?? '').split(';')
    const isJson = /json/.test(mediaType)
    // Every answer that a test sees is one of those that the description names.
    const given = text === '' ? undefined : isJson ? (JSON.parse(text) as unknown) : text
    const fault = faultOf(method, path, { status: response.status, mediaType, body: given })
    if (fault !== undefined) throw new TypeError(`docs/api/catalogue.json: ${fault}`)
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isJson ? JSON.parse(text) : {}) as Answer['body'],
    }
  }
  return Object.assign(call, { [Symbol.asyncDispose]: () => dispatcher.destroy() })
}

export interface Running extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly config: CatalogueConfig
  readonly catalogue: Catalogue
  readonly clock: { now: Date }
  readonly call: Call
  snapshot(): Promise<Snapshot>
}

/** A catalogue on a port of its own, with a clock that tests move. */
export async function startTestCatalogue(
  given: {
    authority?: TestAuthority
    config?: CatalogueConfig
    overrides?: Partial<CatalogueConfig>
    clock?: { now: Date }
  } = {},
): Promise<Running> {
  const authority = given.authority ?? (await createAuthority())
  const config = given.config ?? (await createConfig(authority, given.overrides))
  const clock = given.clock ?? { now: new Date() }
  const catalogue = await startCatalogue(config, {
    clock: () => clock.now,
    logger: createLogger('catalogue', 'silent'),
    checkIntervalMs: 20,
  })
  const call = createCaller(catalogue.url, catalogue.adminToken, authority.root.certificate.pem)
  return {
    authority,
    config,
    catalogue,
    clock,
    call,
    snapshot: async () => {
      const { text } = await call('GET', '/snapshot')
      return await verifySnapshot(text, readAnchor(catalogue.anchorFile))
    },
    [Symbol.asyncDispose]: async () => {
      await call[Symbol.asyncDispose]()
      await catalogue[Symbol.asyncDispose]()
    },
  }
}

export function readAnchor(file: string): Anchor {
  return JSON.parse(readFileSync(file, 'utf8')) as Anchor
}

/** Percent-encodes each part of a path below `/admin`. */
export function adminPath(...parts: string[]): string {
  return ['/admin', ...parts.map(encodeURIComponent)].join('/')
}

/** Waits until `check` holds; the limit of the test ends a wait in vain. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((done) => setTimeout(done, 10))
}
