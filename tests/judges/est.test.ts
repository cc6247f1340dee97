/** A stock EST client, curl with openssl, enrols and renews at the authority (RFC 7030). */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuthorityConfig } from '../../pki/authority/config.ts'
import type { Entitlement } from '../../pki/authority/issue-request.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import { parseCertificate, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { openssl, temporaryFolder } from '../pki/support.ts'
import { authorityConfig } from '../support/authority.ts'

const KHMER = { instance: 'KH-TEST', memberClass: 'GOV', member: 'ក្រសួងមហាផ្ទៃ' }
const LAO = { instance: 'KH-TEST', memberClass: 'GOV', member: 'ກະຊວງພາຍໃນ' }
const DAY_MS = 86_400_000

interface Client {
  readonly running: RunningAuthority
  readonly file: (name: string) => string
  /** Makes a code for these and returns it. */
  readonly code: (orders: Entitlement[]) => string
  /** A key and its request, by openssl. */
  readonly request: (name: string, subject: string, ...extra: string[]) => Promise<string>
  readonly curl: (operation: string, ...args: string[]) => Promise<Reply>
  /** simpleenroll with a request of {@link request}. */
  readonly enrol: (name: string, code: string) => Promise<Reply>
}
interface Reply {
  readonly status: number
  readonly headers: string
  readonly body: string
}

const run = promisify(execFile)

async function start(changes: Partial<AuthorityConfig> = {}): Promise<Client> {
  const folder = temporaryFolder()
  const file = (name: string): string => join(folder, name)
  const config = authorityConfig({ stateDir: file('state'), ...changes })
  const running = await startAuthority(config, { logger: pino({ level: 'silent' }) })
  onTestFinished(() => running[Symbol.asyncDispose]())
  writeFileSync(file('root.pem'), running.authority.root.pem)
  const curl = async (operation: string, ...args: string[]): Promise<Reply> => {
    const { stdout } = await run('curl', [
      ...['-s', '--cacert', file('root.pem'), '-D', file('headers'), ...args],
      ...['-w', '%{http_code}', '-o', file('body')],
      `${running.estUrl}/.well-known/est/${operation}`,
    ])
    const [headers, body] = ['headers', 'body'].map((name) => readFileSync(file(name), 'utf8'))
    return { status: Number(stdout), headers: headers!.toLowerCase(), body: body! }
  }
  return {
    running,
    file,
    curl,
    code: (orders) => {
      const expiresAt = new Date(Date.now() + DAY_MS)
      return running.authority.codes.make({ orders, expiresAt }).code
    },
    request: async (name, subject, ...extra) => {
      const made = await openssl(
        ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-utf8'],
        ['-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', subject, ...extra],
      )
      expect(made.exitCode, made.output).toBe(0)
      await openssl(
        'req',
        '-in',
        file(`${name}.csr`),
        '-outform',
        'DER',
        '-out',
        file(`${name}.der`),
      )
      await openssl('base64', '-in', file(`${name}.der`), '-out', file(`${name}.b64`))
      return file(`${name}.b64`)
    },
    enrol: (name, code) =>
      curl('simpleenroll', '-u', `spean:${code}`, ...post(file(`${name}.b64`))),
  }
}

const post = (file: string): string[] => [
  ...['-H', 'Content-Type: application/pkcs10', '-H', 'Content-Transfer-Encoding: base64'],
  ...['--data-binary', `@${file}`],
]

/** The certificates of an answer, read by openssl. */
async function certificatesIn({ file }: Client, { body }: Reply): Promise<Certificate[]> {
  writeFileSync(file('p7.b64'), body)
  const der = await openssl('base64', '-d', '-in', file('p7.b64'), '-out', file('p7.der'))
  expect(der.exitCode).toBe(0)
  const read = await openssl('pkcs7', '-inform', 'DER', '-in', file('p7.der'), '-print_certs')
  expect(read.exitCode, read.output).toBe(0)
  return parseCertificates(read.output)
}

const AUTHENTICATION: Entitlement = {
  kind: 'authentication',
  identity: { ...KHMER, gateway: 'MOI-1' },
  subjectAltNames: ['gw.moi.example'],
}
const SIGNING: Entitlement = { kind: 'signing', identity: KHMER, subjectAltNames: [] }
const AUTHENTICATION_SUBJECT = `/O=KH-TEST/OU=GOV/CN=${KHMER.member}/serialNumber=MOI-1`
const SIGNING_SUBJECT = `/O=KH-TEST/OU=GOV/CN=${KHMER.member}`
const NAMES = ['-addext', 'subjectAltName=DNS:gw.moi.example']

describe('a stock EST client', () => {
  it('fetches the certificates of the authorities', async () => {
    const client = await start()
    const answer = await client.curl('cacerts')
    expect(answer.status).toBe(200)
    expect(answer.headers).toContain('content-type: application/pkcs7-mime')
    const { root, issuers } = client.running.authority
    const got = await certificatesIn(client, answer)
    expect(got.map(({ thumbprint }) => thumbprint).toSorted()).toEqual(
      [root, issuers.authentication, issuers.signing].map((c) => c.thumbprint).toSorted(),
    )
  })

  it('learns what a request should have', async () => {
    const client = await start()
    const { status, headers, body } = await client.curl('csrattrs')
    expect(status).toBe(200)
    expect(headers).toContain('content-type: application/csrattrs')
    writeFileSync(client.file('attrs.der'), Buffer.from(body, 'base64'))
    const { output } = await openssl('asn1parse', '-inform', 'DER', '-in', client.file('attrs.der'))
    for (const id of ['id-ecPublicKey', 'prime256v1', 'ecdsa-with-SHA256', 'Extension Request']) {
      expect(output).toContain(id)
    }
  })

  it('enrols and renews a gateway, its signing certificate by the authentication certificate', async () => {
    const client = await start()
    const { file } = client
    const code = client.code([AUTHENTICATION, SIGNING])
    await client.request('auth', AUTHENTICATION_SUBJECT, ...NAMES)
    await client.request('sign', SIGNING_SUBJECT)
    const first = await client.enrol('auth', code)
    expect(first.status, first.body).toBe(200)
    const [authentication] = await certificatesIn(client, first)
    expect(authentication!.identity).toEqual(AUTHENTICATION.identity)
    expect(authentication!.subjectAltNames).toEqual(['gw.moi.example'])
    const [signing] = await certificatesIn(client, await client.enrol('sign', code))
    expect(signing!.identity).toEqual(KHMER)
    expect(signing!.issuer).toBe(client.running.authority.issuers.signing.subject)
    // A lost answer is not a lost code.
    const again = await certificatesIn(client, await client.enrol('auth', code))
    expect(again[0]!.serial).toBe(authentication!.serial)

    writeFileSync(file('auth.pem'), authentication!.pem)
    const tls = ['--cert', file('auth.pem'), '--key', file('auth.key')]
    for (const [name, subject, extra, old] of [
      ['auth2', AUTHENTICATION_SUBJECT, NAMES, authentication!],
      ['sign2', SIGNING_SUBJECT, [], signing!],
    ] as const) {
      const csr = await client.request(name, subject, ...extra)
      const answer = await client.curl('simplereenroll', ...tls, ...post(csr))
      expect(answer.status, answer.body).toBe(200)
      const [renewed] = await certificatesIn(client, answer)
      expect(renewed!.serial).not.toBe(old.serial)
      expect(renewed!.subject).toBe(old.subject)
      expect(renewed!.subjectAltNames).toEqual(old.subjectAltNames)
    }
    const label = await client.curl(
      'authentication/simplereenroll',
      ...tls,
      ...post(file('sign2.b64')),
    )
    expect(JSON.parse(label.body)).toMatchObject({ code: 'enrolment.identity-mismatch' })
  })

  it('enrols with a Lao name and an RSA key, body in one line', async () => {
    const client = await start()
    const code = client.code([{ kind: 'signing', identity: LAO, subjectAltNames: [] }])
    const made = await openssl(
      ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-utf8', '-keyout', client.file('lao.key')],
      ['-outform', 'DER', '-out', client.file('lao.der')],
      ['-subj', `/O=KH-TEST/OU=GOV/CN=${LAO.member}`],
    )
    expect(made.exitCode, made.output).toBe(0)
    const line = readFileSync(client.file('lao.der')).toString('base64')
    writeFileSync(client.file('lao.b64'), line)
    const answer = await client.enrol('lao', code)
    const [certificate] = await certificatesIn(client, answer)
    expect(certificate!.identity).toEqual(LAO)
  })

  it('waits for the operator where that is configured', async () => {
    const client = await start({ approval: true })
    const { approvals } = client.running.authority
    const code = client.code([SIGNING])
    await client.request('sign', SIGNING_SUBJECT)
    await client.request('thief', SIGNING_SUBJECT)
    const stolen = await client.enrol('thief', code)
    expect(stolen.status).toBe(202)
    expect(stolen.headers).toMatch(/retry-after: \d+/)
    approvals.reject(approvals.list()[0]!.id, 'nobody here asked')
    const rejected = await client.enrol('thief', code)
    expect(JSON.parse(rejected.body)).toMatchObject({ code: 'enrolment.rejected', status: 403 })

    expect((await client.enrol('sign', code)).status).toBe(202)
    approvals.approve(approvals.list()[1]!.id)
    const [certificate] = await certificatesIn(client, await client.enrol('sign', code))
    expect(certificate!.identity).toEqual(KHMER)
  })

  it('is refused by name of the fault, and the journal has it', async () => {
    const client = await start()
    const { file, curl, enrol } = client
    const { authority } = client.running
    const code = client.code([AUTHENTICATION, SIGNING])
    await client.request('sign', SIGNING_SUBJECT)
    await client.request('other', '/O=KH-TEST/OU=GOV/CN=OTHER')
    await client.request('names', AUTHENTICATION_SUBJECT, '-addext', 'subjectAltName=DNS:x.example')
    expect((await enrol('sign', code)).status).toBe(200)
    await client.request('late', SIGNING_SUBJECT)
    const expired = authority.codes.make({
      orders: [SIGNING],
      expiresAt: new Date(Date.now() + 50),
    }).code
    writeFileSync(
      file('cut.b64'),
      readFileSync(file('late.der')).subarray(0, 99).toString('base64'),
    )
    const spoilt = readFileSync(file('late.der'))
    spoilt[spoilt.length - 1]! ^= 1
    writeFileSync(file('spoilt.b64'), spoilt.toString('base64'))
    writeFileSync(file('garbage.b64'), 'ສະບາຍດີ')
    await new Promise((done) => setTimeout(done, 60))
    const stranger = await selfSigned(client)

    const refusals: [Promise<Reply> | Reply, code: string, status: number][] = [
      [await enrol('late', 'WRONG-WRONG'), 'enrolment.code-invalid', 401],
      [await enrol('late', expired), 'enrolment.code-expired', 401],
      [await enrol('late', code), 'enrolment.code-used', 403],
      [await enrol('other', code), 'enrolment.identity-mismatch', 403],
      [await enrol('names', code), 'enrolment.identity-mismatch', 403],
      [await enrol('cut', code), 'encoding.truncated', 400],
      [await enrol('spoilt', code), 'enrolment.proof-invalid', 400],
      [await enrol('garbage', code), 'encoding.malformed', 400],
      [await curl('simpleenroll', ...post(file('late.b64'))), 'enrolment.unauthenticated', 401],
      [await curl('simplereenroll', ...post(file('late.b64'))), 'enrolment.unauthenticated', 401],
      [await curl('simplereenroll', ...stranger), 'certificate.untrusted', 403],
      [await curl('other/simpleenroll', ...post(file('late.b64'))), 'request.route-unknown', 404],
      [await curl('simpleenroll', '-u', `:${code}`, '-d', '{}'), 'request.malformed', 400],
    ]
    const journal = authority.journal.list(0, 1000).filter(({ action }) => action === 'refused')
    for (const [i, [reply, expected, status]] of refusals.entries()) {
      const { body } = await reply
      expect(JSON.parse(body)).toMatchObject({ code: expected, status })
      expect(journal[i]).toMatchObject({ subject: 'enrolment', code: expected })
      expect(journal[i]!.remoteAddress).toContain('127.0.0.1')
    }
  })

  it('does not renew what is revoked', async () => {
    const client = await start()
    const code = client.code([AUTHENTICATION])
    await client.request('auth', AUTHENTICATION_SUBJECT, ...NAMES)
    const [certificate] = await certificatesIn(client, await client.enrol('auth', code))
    writeFileSync(client.file('auth.pem'), certificate!.pem)
    client.running.authority.revoke(certificate!.serial, 'keyCompromise')
    const tls = ['--cert', client.file('auth.pem'), '--key', client.file('auth.key')]
    const answer = await client.curl('simplereenroll', ...tls, ...post(client.file('auth.b64')))
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'certificate.revoked' })
    expect(answer.body).toContain('keyCompromise')
    const collected = await client.enrol('auth', code)
    expect(JSON.parse(collected.body)).toMatchObject({ code: 'certificate.revoked' })
  })
})

/** curl's arguments for a client with a certificate that nobody vouches for. */
async function selfSigned({ file }: Client): Promise<string[]> {
  await openssl(
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ['-keyout', file('self.key'), '-out', file('self.pem'), '-subj', '/O=KH-TEST/OU=GOV/CN=X'],
  )
  expect(parseCertificate(readFileSync(file('self.pem'), 'utf8')).identity).toBeDefined()
  return ['--cert', file('self.pem'), '--key', file('self.key'), ...post(file('late.b64'))]
}
