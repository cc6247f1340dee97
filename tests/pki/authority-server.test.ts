import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAuthorityRoutes } from '../../pki/authority/routes.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import { parseCertificate, parseCertificates } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import { generateKey } from '../../pki/keys.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { authorityConfig } from '../support/authority.ts'
import { committedDescription, createAnswerCheck } from '../support/described-api.ts'
import { GATEWAY, openssl, temporaryFolder, writeFiles } from './support.ts'

const DAY_MS = 24 * 60 * 60_000

interface Deps {
  readonly clock?: () => Date
  readonly renewalCheckMs?: number
}

async function start(folder = temporaryFolder(), deps: Deps = {}): Promise<RunningAuthority> {
  const config = authorityConfig({ stateDir: join(folder, 'state') })
  const running = await startAuthority(config, { logger: pino({ level: 'silent' }), ...deps })
  onTestFinished(() => running[Symbol.asyncDispose]())
  return running
}

const faultOf = createAnswerCheck(committedDescription('authority'))

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Calls the administration as its own root vouches for it: no check is switched off. */
async function admin(
  running: RunningAuthority,
  method: string,
  path: string,
  options: { body?: unknown; token?: string } = {},
): Promise<Answer> {
  const call = request(`${running.adminUrl}${path}`, {
    method,
    ca: running.authority.root.pem,
    agent: false,
    headers: {
      authorization: `Bearer ${options.token ?? running.adminToken}`,
      'content-type': 'application/json',
    },
  })
  call.end(options.body === undefined ? undefined : JSON.stringify(options.body))
  const [response] = (await once(call, 'response')) as [import('node:http').IncomingMessage]
  const chunks = (await response.toArray()) as Buffer[]
  const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
  const status = response.statusCode!
  const [mediaType = ''] = (response.headers['content-type'] ?? '').split(';')
  expect(faultOf(method, path, { status, mediaType, body })).toBe(undefined)
  return { status, body }
}

async function issueOver(running: RunningAuthority, kind = 'authentication') {
  const { instance: _, ...identity } = GATEWAY
  const csr = (await createCsr({ identity: GATEWAY, key: await generateKey('P-256') })).pem
  return admin(running, 'POST', '/admin/certificates', { body: { csr, kind, identity } })
}

async function askOcsp(url: string, der: Uint8Array, type = 'application/ocsp-request') {
  const answer = await fetch(`${url}/ocsp`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: new Uint8Array(der),
  })
  return { answer, der: Buffer.from(await answer.arrayBuffer()) }
}

describe('authority server', () => {
  it('issues over the admin API, and lists and revokes what it issued', async () => {
    const running = await start()
    const { status, body } = await issueOver(running)
    expect(status).toBe(201)
    const certificate = parseCertificate(body.certificate as string)
    expect(certificate.identity).toEqual(GATEWAY)
    const { root, issuers } = running.authority
    expect(parseCertificates(body.chain as string)).toEqual([issuers.authentication, root])

    const path = `/admin/certificates/${certificate.serial.toUpperCase()}/revoke`
    const revoked = await admin(running, 'POST', path, { body: { reason: 'superseded' } })
    expect(revoked).toMatchObject({ status: 200, body: { reason: 'superseded' } })
    const listed = (await admin(running, 'GET', '/admin/certificates')).body.certificates
    expect(listed).toContainEqual(
      expect.objectContaining({
        serial: certificate.serial,
        kind: 'authentication',
        thumbprint: certificate.thumbprint,
        reason: 'superseded',
      }),
    )
    expect((await admin(running, 'GET', '/admin/status')).body).toMatchObject({
      ready: true,
      certificates: { revoked: 1 },
    })
  })

  it('answers wrong orders with the code of the fault', async () => {
    const running = await start()
    const post = (path: string, body: unknown) => admin(running, 'POST', path, { body })
    const problems = [
      [await post('/admin/certificates', { kind: 'signing' }), 'admin.invalid'],
      [await issueOver(running, 'signing'), 'admin.invalid'],
      [await issueOver(running, 'root-authority'), 'admin.invalid'],
      [await post('/admin/certificates/12/revoke', { reason: 'superseded' }), 'admin.not-found'],
      [await post('/admin/certificates/12/revoke', { reason: 'certificateHold' }), 'admin.invalid'],
      [await admin(running, 'GET', '/nothing'), 'request.route-unknown'],
    ] as const
    for (const [{ body }, code] of problems) expect(body).toMatchObject({ code })
  })

  it('asks for its token on every admin route', async () => {
    const running = await start()
    const { adminRoutes, publicRoutes } = createAuthorityRoutes(running)
    expect(publicRoutes.every(({ access }) => access === 'public')).toBe(true)
    for (const { method, path, access } of adminRoutes) {
      if (access === 'public') continue
      const answer = await admin(running, method, path, { token: 'another' })
      expect(answer.body.code).toBe('admin.unauthenticated')
    }
    expect((await admin(running, 'GET', '/status', { token: 'another' })).body).toEqual({
      program: 'authority',
      instance: 'KH-TEST',
      ready: true,
    })
  })

  it('publishes its certificates in PEM and DER', async () => {
    const { publicUrl, authority } = await start()
    const text = async (path: string) => (await fetch(publicUrl + path)).text()
    expect(await text('/ca/root.pem')).toBe(authority.root.pem)
    const { authentication, signing } = authority.issuers
    expect(await text('/ca/signing.pem')).toBe(signing.pem)
    const all = authentication.pem + signing.pem + authority.root.pem
    expect(await text('/ca/chain.pem')).toBe(all)
    const der = await fetch(`${publicUrl}/ca/authentication.cer`)
    expect(der.headers.get('content-type')).toBe('application/pkix-cert')
    expect(parseCertificate(Buffer.from(await der.arrayBuffer()))).toBe(authentication)
  })

  it('gives openssl the state of a certificate: good, revoked, unknown', async () => {
    const running = await start()
    const { authority, publicUrl } = running
    const folder = temporaryFolder()
    const file = (name: string): string => join(folder, name)
    const [good, revoked] = [await issueOver(running), await issueOver(running)].map(({ body }) =>
      parseCertificate(body.certificate as string),
    )
    authority.revoke(revoked!.serial, 'keyCompromise')
    writeFiles(folder, {
      'root.pem': authority.root.pem,
      'issuing.pem': authority.issuers.authentication.pem,
      'good.pem': good!.pem,
      'revoked.pem': revoked!.pem,
    })
    for (const hash of ['-sha1', '-sha256']) {
      for (const nonce of ['-nonce', '-no_nonce']) {
        const { output } = await openssl(
          ['ocsp', '-url', `${publicUrl}/ocsp`, '-CAfile', file('root.pem'), nonce, hash],
          ['-issuer', file('issuing.pem'), '-verify_other', file('issuing.pem')],
          ['-cert', file('good.pem'), hash, '-cert', file('revoked.pem')],
          [hash, '-serial', '0x1234'],
        )
        expect(output).toContain('Response verify OK')
        expect(output).toContain(`${file('good.pem')}: good`)
        expect(output).toContain(`${file('revoked.pem')}: revoked`)
        expect(output).toContain('Reason: keyCompromise')
        expect(output).toContain('0x1234: unknown')
        expect(output).not.toMatch(/nonce/i) // it warns when the answer has none, or another one
      }
    }
  })

  it('answers by GET what a cache may keep for a minute', async () => {
    const { authority, publicUrl } = await start()
    const { root } = authority
    const issuing = authority.issuers.authentication
    const key = await generateKey('P-256')
    const certificate = await authority.issueServer(key.publicKey, ['localhost'])
    const request64 = createOcspRequest(certificate, issuing).toString('base64')
    for (const path of [encodeURIComponent(request64), request64]) {
      const answer = await fetch(`${publicUrl}/ocsp/${path}`)
      const der = Buffer.from(await answer.arrayBuffer())
      expect(answer.headers.get('content-type')).toBe('application/ocsp-response')
      expect(answer.headers.get('cache-control')).toMatch(/^max-age=60, public/)
      // RFC 5019 §6.2: those of the answer itself
      const [from, until] = ['last-modified', 'expires'].map((name) =>
        Date.parse(answer.headers.get(name)!),
      )
      expect(until! - from!).toBe(240 * 60_000)
      expect(answer.headers.get('etag')).toMatch(/^"[0-9a-f]{64}"$/)
      const expected = { certificate, issuer: issuing, at: new Date() }
      expect(verifyOcspResponse(der, expected).status).toBe('good')
    }
    expect(root.isCa).toBe(true)
  })

  it('lets no cache keep an answer with a nonce', async () => {
    const { authority, publicUrl } = await start()
    const issuing = authority.issuers.authentication
    const certificate = await authority.issueServer((await generateKey('P-256')).publicKey, [
      'localhost',
    ])
    const nonce = Buffer.from('a nonce of this call')
    const { answer, der } = await askOcsp(
      publicUrl,
      createOcspRequest(certificate, issuing, { nonce }),
    )
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const expected = { certificate, issuer: issuing, at: new Date(), nonce }
    expect(verifyOcspResponse(der, expected).status).toBe('good')
  })

  it('answers garbage with malformedRequest and status 200', async () => {
    const { publicUrl } = await start()
    const malformed = createOcspError('malformedRequest')
    const posted = [
      await askOcsp(publicUrl, Buffer.from('garbage')),
      await askOcsp(publicUrl, Buffer.alloc(0)),
      await askOcsp(publicUrl, Buffer.from('{}'), 'application/json'),
    ]
    for (const { answer, der } of posted) expect([answer.status, der]).toEqual([200, malformed])
    for (const path of ['AAAA', '%00', 'a//b', '%E1%9E%80']) {
      const answer = await fetch(`${publicUrl}/ocsp/${path}`)
      expect([answer.status, Buffer.from(await answer.arrayBuffer())]).toEqual([200, malformed])
    }
    expect((await askOcsp(publicUrl, Buffer.alloc(100_000))).answer.status).toBe(413)
    expect((await fetch(`${publicUrl}/ocsp/%`)).status).toBe(400)
  })

  it('keeps its token in a file that only its owner can read, and over a restart', async () => {
    const folder = temporaryFolder()
    const first = await start(folder)
    for (const file of ['admin.token', 'admin.key']) {
      expect(statSync(join(folder, 'state', file)).mode & 0o777).toBe(0o600)
    }
    expect(Buffer.from(first.adminToken, 'base64url')).toHaveLength(32)
    await first[Symbol.asyncDispose]()
    const second = await start(folder)
    expect(second.adminToken).toBe(first.adminToken)
    expect(second.authority.root.thumbprint).toBe(first.authority.root.thumbprint)
    expect((await admin(second, 'GET', '/admin/status')).status).toBe(200)
  })

  it('shows a renewed certificate on its HTTPS port without a restart', async () => {
    let now = Date.now()
    const running = await start(undefined, { clock: () => new Date(now), renewalCheckMs: 10 })
    const before = await shownSerial(running)
    now += 600 * DAY_MS
    await expect.poll(() => shownSerial(running), { timeout: 5_000 }).not.toBe(before)
  })

  it('starts as a program, says in one line that it is ready, and stops on a signal', async () => {
    const folder = temporaryFolder()
    const configFile = join(folder, 'authority.json')
    const config = {
      instance: 'KH-TEST',
      stateDir: 'state',
      publicPort: 0,
      adminPort: 0,
      estPort: 0,
    }
    writeFileSync(configFile, JSON.stringify(config))
    const program = spawn(process.execPath, ['pki/authority/main.ts', configFile], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, LOG_LEVEL: 'info' },
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const [line] = (await once(createInterface(program.stdout), 'line')) as [string]
    const ready = JSON.parse(line) as { msg: string; publicUrl: string }
    expect(ready.msg).toBe('authority ready')
    const status = await fetch(`${ready.publicUrl}/status`)
    expect(await status.json()).toMatchObject({ program: 'authority', ready: true })
    program.kill('SIGTERM')
    expect(await once(program, 'exit')).toEqual([0, null])
  }, 20_000)

  it('on every interface has to be told how it is reached, and says so of enrolment too', async () => {
    const logger = pino({ level: 'silent' })
    const config = authorityConfig({ stateDir: join(temporaryFolder(), 'state'), host: '0.0.0.0' })
    await expect(startAuthority(config, { logger })).rejects.toThrow(/^publicUrl: is needed/)
    const publicUrl = 'http://pki.example:5580'
    await using running = await startAuthority({ ...config, publicUrl }, { logger })
    expect(running.authority.estUrl()).toMatch(/^https:\/\/pki\.example:\d+$/)
    expect(running.authority.issuers.signing.crlUrls).toEqual([`${publicUrl}/crl/root.crl`])
  })

  it('tells every fault of its configuration at once, without a stack', async () => {
    const configFile = join(temporaryFolder(), 'authority.json')
    writeFileSync(configFile, JSON.stringify({ instance: '', stateDirectory: 'x' }))
    const run = promisify(execFile)(process.execPath, ['pki/authority/main.ts', configFile])
    const { code, stderr } = await run.then(
      () => ({ code: 0, stderr: '' }),
      (error: { code: number; stderr: string }) => error,
    )
    expect(code).toBe(1)
    for (const fault of ['/instance', 'stateDir', 'stateDirectory']) expect(stderr).toContain(fault)
    expect(stderr).not.toContain('    at ')
  })
})

async function shownSerial({ adminUrl, authority }: RunningAuthority): Promise<string> {
  const { hostname: host, port } = new URL(adminUrl)
  // Its certificates follow the test's clock, which the machine's does not.
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const shown = parseCertificate(socket.getPeerX509Certificate()!.raw)
  socket.destroy()
  expect(shown.issuer).toBe(authority.issuers.authentication.subject)
  return shown.serial
}
