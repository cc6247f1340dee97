import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CERTIFICATE_STATES_PATH } from '../../protocol/certificate-states.ts'
import type { Problem } from '../../protocol/problem.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { INSTANCE, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { send, type Answer } from '../support/http.ts'
import { sendToPeer, startFakeProvider } from '../support/peer.ts'
import { countOcspRequests } from '../support/responder-requests.ts'

const PATH = `/r1/${REGISTRY}/echo`

interface Health {
  thumbprint: string
  own: boolean
  status: string
  source: string
}
const healthOf = async (gateway: Federation['client']): Promise<Health[]> =>
  (await gateway.admin.call<{ ocsp: Health[] }>('GET', '/admin/status')).ocsp
const stateOf = async (
  gateway: Federation['client'],
  { certificate }: Credentials,
): Promise<Health | undefined> =>
  (await healthOf(gateway)).find(({ thumbprint }) => thumbprint === certificate.thumbprint)

describe('gateways whose answers are fresh for long', () => {
  let f: Federation
  beforeEach(async () => {
    const slow = { ocspRefreshSeconds: 3600 }
    f = await startFederation({ client: slow, provider: slow })
    for (const gateway of [f.client, f.provider]) {
      const own = async (): Promise<string[]> =>
        (await healthOf(gateway)).filter((h) => h.own).map(({ status }) => status)
      await vi.waitFor(async () => expect(await own()).toEqual(['good', 'good']), 10_000)
    }
  })
  afterEach(() => f[Symbol.asyncDispose]())

  it('exchange for the first time, and at once again, without a word to the responder', async () => {
    using asked = countOcspRequests()
    for (let i = 0; i < 3; i += 1) expect((await f.call(PATH)).status).toBe(200)
    await Promise.all(Array.from({ length: 20 }, () => f.call(PATH)))
    expect(asked.count).toBe(0)
    expect(await stateOf(f.client, f.provider.authentication)).toMatchObject({ source: 'stapled' })
    expect(await stateOf(f.client, f.provider.signing)).toMatchObject({ source: 'owner' })
    expect(await stateOf(f.provider, f.client.authentication)).toMatchObject({ source: 'owner' })
    expect(await stateOf(f.provider, f.client.signing)).toMatchObject({ source: 'owner' })
  })

  it('exchange also when the responder is away', async () => {
    await f.authority[Symbol.asyncDispose]()
    expect((await f.call(PATH)).status).toBe(200)
  })

  it('ask the responder about a peer that hands nothing over', async () => {
    await using fake = await startFakeProvider(f, 'SILENT')
    fake.behave = (request, response) => fake.answer(request, response)
    using asked = countOcspRequests()
    expect((await f.call(fake.path)).status).toBe(200)
    expect(asked.count).toBe(2)
    expect((await f.call(fake.path)).status).toBe(200)
    expect(asked.count).toBe(2)
  })

  const post = (body: string | Buffer, tls: Partial<Credentials> = f.client.authentication) =>
    send({
      port: f.provider.running.ports.peers,
      method: 'POST',
      path: CERTIFICATE_STATES_PATH,
      rawHeaders: ['content-type', 'application/json'],
      body,
      tls: { ...(tls.cert && tls.key ? { cert: tls.cert, key: tls.key } : {}) },
    })
  const codeOf = ({ body }: Answer): string => (JSON.parse(body.toString()) as Problem).code
  const message = (...states: [Credentials, Buffer][]): string =>
    JSON.stringify({
      states: states.map(([{ certificate }, ocsp]) => ({
        thumbprint: certificate.thumbprint,
        ocsp: ocsp.toString('base64'),
      })),
    })
  /** What the client's gateway hands over, taken from what it answers. */
  const statesOf = async (gateway: Federation['client']): Promise<Map<string, Buffer>> => {
    const { cert, key } = f.provider.authentication
    const { body } = await send({
      port: gateway.running.ports.peers,
      method: 'POST',
      path: CERTIFICATE_STATES_PATH,
      body: '{"states":[]}',
      tls: { cert, key },
    })
    const { states } = JSON.parse(body.toString()) as {
      states: { thumbprint: string; ocsp: string }[]
    }
    return new Map(states.map((s) => [s.thumbprint, Buffer.from(s.ocsp, 'base64')]))
  }

  it('tell what they know of their own certificates, and of no others', async () => {
    const states = await statesOf(f.client)
    const own = [f.client.authentication, f.client.signing].map((c) => c.certificate.thumbprint)
    expect(new Set(states.keys())).toEqual(new Set(own))
  })

  it('refuse in words what is no message, and go on', async () => {
    const good = (await statesOf(f.client)).get(f.client.signing.certificate.thumbprint)!
    const { signing } = f.client
    const altered = Buffer.from(good)
    altered[altered.length - 5]! ^= 1
    const rows: [string | Buffer, string][] = [
      ['', 'request.malformed'],
      ['{', 'request.malformed'],
      ['[]', 'request.malformed'],
      ['null', 'request.malformed'],
      ['{"states":{}}', 'request.malformed'],
      ['{"states":[null]}', 'request.malformed'],
      ['{"states":[{"thumbprint":"x","ocsp":"AAAA"}]}', 'request.malformed'],
      [Buffer.from([0xff, 0xfe]), 'request.malformed'],
      [`{"states":${'['.repeat(100_000)}`, 'request.malformed'],
      [
        message(
          ...Array.from(
            { length: 10_000 },
            () => [signing, Buffer.alloc(3)] as [Credentials, Buffer],
          ),
        ),
        'request.malformed',
      ],
      ['x'.repeat(2_000_000), 'request.body-too-large'],
      [message([signing, Buffer.from('garbage')]), 'request.malformed'],
      [message([signing, Buffer.alloc(60_000)]), 'request.malformed'],
      [message([signing, altered]), 'request.malformed'],
      [message([f.client.authentication, good]), 'request.malformed'],
    ]
    for (const [body, code] of rows) {
      const answer = await post(body)
      expect.soft(codeOf(answer), String(body).slice(0, 60)).toBe(code)
    }
    expect((await f.call(PATH)).status).toBe(200)
  })

  it('refuse in words what has no end, and hold nothing open for what breaks off', async () => {
    const { cert, key } = f.client.authentication
    const begin = (): ClientRequest =>
      request({
        port: f.provider.running.ports.peers,
        host: '127.0.0.1',
        method: 'POST',
        path: CERTIFICATE_STATES_PATH,
        agent: false,
        cert,
        key,
        rejectUnauthorized: false,
      })
    const endless = begin()
    const refusal = new Promise<string>((resolve) => {
      endless.once('response', (response: IncomingMessage) => {
        void response
          .setEncoding('utf8')
          .toArray()
          .then((parts) => resolve(parts.join('')))
      })
    })
    for (let i = 0; i < 20; i += 1) endless.write('x'.repeat(100_000))
    expect(await refusal).toContain('"code":"request.body-too-large"')
    endless.on('error', () => undefined).destroy()
    const broken = begin().on('error', () => undefined)
    broken.write('{"states":')
    await new Promise((done) => setTimeout(done, 100))
    broken.destroy()
    expect((await f.call(PATH)).status).toBe(200)
  })

  it('take states from gateways of the instance only, and about their own certificates only', async () => {
    const identity = { instance: INSTANCE, memberClass: 'COM', member: 'BANK', gateway: 'BANK-1' }
    const unlisted = await obtain(f.authority.authority, { kind: 'authentication', identity })
    expect(codeOf(await post('{"states":[]}', unlisted))).toBe('peer.certificate-unregistered')
    expect(codeOf(await post('{"states":[]}', {}))).toBe('peer.certificate-missing')
    expect(codeOf(await post('{"states":[]}', f.client.signing))).toBe('certificate.untrusted')
    const get = await send({
      port: f.provider.running.ports.peers,
      path: CERTIFICATE_STATES_PATH,
      tls: { cert: f.client.authentication.cert, key: f.client.authentication.key },
    })
    expect(codeOf(get)).toBe('request.method-unsupported')
    // Of another gateway, garbage at that: not looked at.
    for (const other of [f.provider.signing, f.provider.authentication]) {
      const foreign = await post(message([other, Buffer.from('garbage')]))
      expect(foreign.status).toBe(200)
      expect(await stateOf(f.provider, other)).toMatchObject({ source: 'responder' })
    }
  })

  it('take no good answer after a revoked one, and refuse who was revoked', async () => {
    const before = (await statesOf(f.client)).get(f.client.authentication.certificate.thumbprint)!
    f.authority.authority.revoke(f.client.authentication.certificate.serial, 'keyCompromise')
    await f.client.restart({ ocspRefreshSeconds: 1 })
    await vi.waitFor(
      async () =>
        expect(await stateOf(f.client, f.client.authentication)).toMatchObject({
          status: 'revoked',
        }),
      10_000,
    )
    const revoked = (await statesOf(f.client)).get(f.client.authentication.certificate.thumbprint)!
    const refused = await post(message([f.client.authentication, revoked]))
    expect(codeOf(refused)).toBe('certificate.revoked')
    const again = await post(message([f.client.authentication, before]))
    expect(codeOf(again)).toBe('certificate.revoked')
    expect(again.body.toString()).toMatch(/BANK-1.*was revoked at 2.*keyCompromise/)
  })
})

describe('a certificate that is revoked while traffic runs', () => {
  let f: Federation
  beforeEach(async () => {
    f = await startFederation({
      client: { ocspRefreshSeconds: 2 },
      provider: { ocspRefreshSeconds: 2 },
    })
  })
  afterEach(() => f[Symbol.asyncDispose]())

  /** Until it is refused; resolves with the refusal and when the last that passed was begun. */
  const untilRefused = async (
    attempt: () => Promise<Answer>,
  ): Promise<{ text: string; passedMs: number }> => {
    const first = performance.now()
    let passedMs = 0
    for (;;) {
      const begunMs = performance.now() - first
      const { status, body } = await attempt()
      if (status !== 200) return { text: body.toString('utf8'), passedMs }
      passedMs = begunMs
      expect(passedMs).toBeLessThan(30_000)
    }
  }
  /** The freshness, and what an answer takes that was under way when the certificate was revoked. */
  const FRESH_MS = 2000 + 500

  it.each(['authentication', 'signing'] as const)(
    'is refused by the provider within the freshness period: %s, of a caller that hands over its last good answer',
    async (use) => {
      expect((await f.call(PATH)).status).toBe(200)
      expect((await sendToPeer(f)).status).toBe(200)
      const { certificate } = f.client[use]
      await f.client.running[Symbol.asyncDispose]()
      f.authority.authority.revoke(certificate.serial, 'keyCompromise')
      const { text, passedMs } = await untilRefused(() => sendToPeer(f))
      expect(text).toContain('"code":"certificate.revoked"')
      expect(text).toMatch(new RegExp(`${certificate.serial}.*was revoked at 2.*keyCompromise`))
      expect(passedMs).toBeLessThan(FRESH_MS)
      await f.client.restart().catch(() => undefined)
    },
  )

  it.each(['authentication', 'signing'] as const)(
    'is refused by the client within the freshness period: %s',
    async (use) => {
      await using fake = await startFakeProvider(f, 'REVOKED')
      fake.behave = (request, response) => fake.answer(request, response)
      expect((await f.call(fake.path)).status).toBe(200)
      f.authority.authority.revoke(fake[use].certificate.serial, 'superseded')
      const { text, passedMs } = await untilRefused(() => f.call(fake.path))
      expect(text).toContain('The client gateway refused (certificate.revoked)')
      expect(text).toMatch(
        new RegExp(`${fake[use].certificate.serial}.*was revoked at 2.*superseded`),
      )
      expect(passedMs).toBeLessThan(FRESH_MS)
    },
  )

  it('is told by its own gateway as soon as that knows', async () => {
    expect((await f.call(PATH)).status).toBe(200)
    f.authority.authority.revoke(f.client.signing.certificate.serial, 'keyCompromise')
    const { text } = await untilRefused(() => f.call(PATH))
    expect(text).toMatch(/certificate-unsuitable|certificate\.revoked/)
    await vi.waitFor(async () => {
      const { body } = await f.call(PATH)
      expect(body.toString()).toMatch(
        /The client gateway refused \(gateway.certificate-unsuitable\).*was revoked at 2.*keyCompromise/,
      )
    }, 10_000)
  })
})
