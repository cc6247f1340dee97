/**
 * What strangers send to the enrolment port of the authority: each is answered by its code, which stands in the
 * journal too.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openAuthority, type Authority } from '../../pki/authority/authority.ts'
import type { Entitlement } from '../../pki/authority/issue-request.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { memorySigningKey } from '../../pki/signing-key.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { createLeaf, GATEWAY, openssl } from '../pki/support.ts'
import { authorityConfig } from '../support/authority.ts'
import { DER_FAULTS } from '../support/hostile-der.ts'
import { send, type Answer } from '../support/http.ts'

const { gateway: _, ...MEMBER } = GATEWAY
const SECOND = 1000
const DAY_MS = 86_400_000
const ORDERS: Entitlement[] = [
  { kind: 'authentication', identity: GATEWAY, subjectAltNames: ['gw.example'] },
  { kind: 'signing', identity: MEMBER, subjectAltNames: [] },
]

let folder: string
const codes: string[] = []
const logged: string[] = []
let shiftMs = 0
let running: RunningAuthority
let authority: Authority
let key: KeyPair
let csr: Buffer
let list: Buffer
/** An authority with the names of ours, and keys of its own. */
let namesake: Authority

const setTime = (at: Date): void => void (shiftMs = at.getTime() - Date.now())
const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spean-hostile-'))
  const clock = (): Date => new Date(Date.now() + shiftMs)
  const config = authorityConfig({ stateDir: file('state') })
  const logger = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
  running = await startAuthority(config, { logger, clock })
  authority = running.authority
  key = await generateKey('P-256')
  csr = (await createCsr({ identity: MEMBER, key })).der
  list = (await authority.revocationLists.current('signing'))!.der
  const [instance, stateDir] = ['KH-TEST', file('namesake')]
  const publicUrl = (): string => running.publicUrl
  namesake = await openAuthority({ instance, stateDir, publicUrl, clock })
}, 30_000)
afterAll(async () => {
  await namesake[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** What the journal has of one call. */
async function refusalsOf(call: () => Promise<Answer>): Promise<{ answer: Answer; kept: unknown }> {
  const last = authority.journal.list(0, 100_000).at(-1)!.position
  const answer = await call()
  const entries = authority.journal.list(last, 1000).filter(({ action }) => action === 'refused')
  return { answer, kept: entries.map(({ subject, code }) => `${subject} ${code}`) }
}

const portOf = (url: string): number => Number(new URL(url).port)

/** A request to the enrolment port. */
function est(
  operation: string,
  body: Buffer,
  { code, shown }: { code?: string | undefined; shown?: { cert: string; key: string } } = {},
): Promise<Answer> {
  const basic = code && Buffer.from(`spean:${code}`).toString('base64')
  return send({
    port: portOf(running.estUrl),
    method: 'POST',
    path: `/.well-known/est/${operation}`,
    rawHeaders: [
      ...['content-type', 'application/pkcs10'],
      ...(basic === undefined ? [] : ['authorization', `Basic ${basic}`]),
    ],
    body: body.toString('base64'),
    tls: { ca: authority.root.pem, ...shown },
  })
}

const codeFor = (): string => {
  const expiresAt = new Date(authority.clock().getTime() + DAY_MS)
  const { code } = authority.codes.make({ orders: ORDERS, expiresAt })
  codes.push(code)
  return code
}

const pemOf = ({ privateKey }: KeyPair): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

async function issueTo(identity: CertificateIdentity, by = authority): Promise<Certificate> {
  const kind = identity.gateway === undefined ? 'signing' : 'authentication'
  const request = (await createCsr({ identity, key })).der
  return by.issue({ csr: request, kind, identity, validityDays: 10 })
}

describe('enrolment', () => {
  const expectRefused = async (call: () => Promise<Answer>, code: ErrorCode): Promise<void> => {
    const { answer, kept } = await refusalsOf(call)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code })
    expect(kept).toEqual([`enrolment ${code}`])
  }

  it.each(DER_FAULTS.filter(([what]) => !/megabytes|^nothing/.test(what)))(
    'refuses a request %s as %s',
    async (_what, expected, spoil) => {
      const body = spoil(csr)
      await expectRefused(() => est('simpleenroll', body, { code: codeFor() }), expected)
    },
  )

  it('refuses what is no request at all, and says what it is', async () => {
    const code = codeFor()
    for (const [body, what] of [
      [list, 'a certificate revocation list'],
      [authority.root.der, 'a certificate'],
      [Buffer.alloc(0), 'PKCS#10'],
    ] as const) {
      const call = () => est('simpleenroll', body, { code })
      await expectRefused(call, 'encoding.malformed')
      expect((await call()).body.toString()).toContain(what)
    }
    const huge = Buffer.alloc(100_000)
    await expectRefused(() => est('simpleenroll', huge, { code }), 'request.body-too-large')
  })

  it('refuses a signature of another key', async () => {
    const [other] = [await createCsr({ identity: MEMBER, key: await generateKey('P-256') })]
    const spoilt = Buffer.from(other.der)
    spoilt[spoilt.length - 1]! ^= 1
    const code = codeFor()
    await expectRefused(() => est('simpleenroll', spoilt, { code }), 'enrolment.proof-invalid')
  })

  const ODD_KEYS: [string, () => KeyObject][] = [
    ['RSA of 1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    [
      'RSA with the exponent 3',
      () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey,
    ],
    ['secp256k1', () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey],
    [
      'P-256 with its parameters written out',
      () =>
        generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).privateKey,
    ],
    ['Ed25519', () => generateKeyPairSync('ed25519').privateKey],
  ]
  it.each(ODD_KEYS)('refuses a key of %s', async (_name, make) => {
    const odd = await createCsr({ identity: MEMBER, key: memorySigningKey(make()) })
    const code = codeFor()
    await expectRefused(() => est('simpleenroll', odd.der, { code }), 'enrolment.key-refused')
  })

  it.each([
    ['basicConstraints=CA:TRUE', 'enrolment.extension-refused'],
    ['extendedKeyUsage=serverAuth', 'enrolment.extension-refused'],
    ['subjectAltName=email:x@example.com', 'enrolment.extension-refused'],
    ['subjectAltName=DNS:other.example', 'enrolment.identity-mismatch'],
  ] as const)('refuses the extension %s, made by openssl', async (extension, expected) => {
    writeFileSync(file('key.pem'), pemOf(key))
    const subject = `/O=KH-TEST/OU=GOV/CN=${GATEWAY.member}/serialNumber=${GATEWAY.gateway}`
    const made = await openssl(
      ['req', '-new', '-utf8', '-key', file('key.pem'), '-subj', subject, '-addext', extension],
      ['-outform', 'DER', '-out', file('extension.der')],
    )
    expect(made.exitCode, made.output).toBe(0)
    const body = readFileSync(file('extension.der'))
    await expectRefused(() => est('simpleenroll', body, { code: codeFor() }), expected)
  })

  it('refuses codes that are absent, unknown, over, spent or of somebody else', async () => {
    await expectRefused(() => est('simpleenroll', csr), 'enrolment.unauthenticated')
    const unknown = () => est('simpleenroll', csr, { code: 'AAAAA-AAAAA-AAAAA-AAAAA' })
    await expectRefused(unknown, 'enrolment.code-invalid')
    const code = codeFor()
    const other = (await createCsr({ identity: { ...MEMBER, member: 'OTHER' }, key })).der
    await expectRefused(() => est('simpleenroll', other, { code }), 'enrolment.identity-mismatch')
    expect((await est('simpleenroll', csr, { code })).status).toBe(200)
    const again = (await createCsr({ identity: MEMBER, key: await generateKey('P-256') })).der
    await expectRefused(() => est('simpleenroll', again, { code }), 'enrolment.code-used')
    const old = codeFor()
    setTime(new Date(Date.now() + DAY_MS + SECOND))
    await expectRefused(() => est('simpleenroll', csr, { code: old }), 'enrolment.code-expired')
    setTime(new Date())
  })
})

describe('renewal', () => {
  const CASES: [string, ErrorCode, () => Promise<Certificate>][] = [
    ['is over since a second', 'certificate.expired', () => shifted((c) => c.notAfter, SECOND)],
    ['begins in a second', 'certificate.not-yet-valid', () => shifted((c) => c.notBefore, -SECOND)],
    ['was revoked a second ago', 'certificate.revoked', revokedOne],
    [
      'is of another authority of the same name',
      'certificate.untrusted',
      () => issueTo(GATEWAY, namesake),
    ],
    ['has no issuer that is known here', 'certificate.untrusted', unknownIntermediate],
    ['is the one of the authority', 'certificate.untrusted', ownOne],
  ]
  let shownKey: KeyPair
  async function shifted(edge: (c: Certificate) => Date, byMs: number): Promise<Certificate> {
    const certificate = await issueTo(GATEWAY)
    setTime(new Date(edge(certificate).getTime() + byMs))
    return certificate
  }
  async function revokedOne(): Promise<Certificate> {
    const certificate = await issueTo(GATEWAY)
    authority.revoke(certificate.serial, 'keyCompromise')
    setTime(new Date(Date.now() + SECOND))
    return certificate
  }
  async function unknownIntermediate(): Promise<Certificate> {
    const { leaf, key: leafKey } = await createLeaf()
    shownKey = leafKey
    return leaf
  }
  function ownOne(): Promise<Certificate> {
    return authority.issueServer(key.publicKey, ['localhost'])
  }

  it.each(CASES)('is refused to a certificate that %s, as %s', async (_what, code, make) => {
    shownKey = key
    const certificate = await make()
    const body = (await createCsr({ identity: GATEWAY, key })).der
    const shown = { cert: certificate.pem, key: pemOf(shownKey) }
    const { answer, kept } = await refusalsOf(() => est('simplereenroll', body, { shown }))
    setTime(new Date())
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code })
    expect(kept).toEqual([`enrolment ${code}`])
  })

  it('is refused for another identity, and to nobody at all', async () => {
    const shown = { cert: (await issueTo(GATEWAY)).pem, key: pemOf(key) }
    const body = (await createCsr({ identity: { ...GATEWAY, gateway: 'MOI-2' }, key })).der
    const other = await refusalsOf(() => est('simplereenroll', body, { shown }))
    expect(other.kept).toEqual(['enrolment enrolment.identity-mismatch'])
    const nobody = await refusalsOf(() => est('simplereenroll', body))
    expect(nobody.kept).toEqual(['enrolment enrolment.unauthenticated'])
  })
})

it('no code that was sent stands in the log, the journal or the database', () => {
  const kept = [
    logged.join(''),
    JSON.stringify(authority.journal.list(0, 100_000)),
    ...['authority.db', 'authority.db-wal'].map((name) =>
      readFileSync(join(folder, 'state', name), 'latin1'),
    ),
  ].join('')
  expect(logged.length).toBeGreaterThan(10)
  expect(codes.length).toBeGreaterThan(10)
  for (const code of codes) {
    for (const form of [
      code,
      code.replaceAll('-', ''),
      Buffer.from(`spean:${code}`).toString('base64'),
    ]) {
      expect(kept.includes(form)).toBe(false)
    }
  }
})
