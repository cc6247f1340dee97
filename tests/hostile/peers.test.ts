import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import { errorEntry } from '../../protocol/errors.ts'
import type { Problem } from '../../protocol/problem.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { DAY_MS, MINUTE_MS } from '../support/clock.ts'
import { INSTANCE, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { sendBytes, type Answer } from '../support/http.ts'
import { sendToPeer, type Forgery } from '../support/peer.ts'

let f: Federation
let foreign: Federation
beforeAll(async () => {
  f = await startFederation()
  foreign = await startFederation()
})
afterAll(async () => {
  await foreign[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

/** The provider's gateway refuses: code, log, and the service not called. */
async function expectPeerRefusal(
  answer: Promise<Answer>,
  code: ErrorCode,
  calls: number,
): Promise<void> {
  const { status, headers, body } = await answer
  const problem = JSON.parse(body.toString('utf8')) as Problem
  expect.soft(problem).toMatchObject({ code, origin: 'provider-gateway' })
  expect(status).toBe(errorEntry(code).status)
  expect(headers['spean-manifest']).toBeUndefined()
  const entries = await f.provider.entries(problem.exchangeId)
  expect(entries.at(-1)).toMatchObject({ kind: 'refusal', code, side: 'provider' })
  expect(f.register.calls.length).toBe(calls)
}

const bank = `${INSTANCE}/COM/BANK`
const sentAs = (sent: Forgery['sent'] & object) => (): Forgery => ({ sent })

describe('a request from another gateway', () => {
  it('is served when everything is right', async () => {
    const { status, headers } = await sendToPeer(f)
    expect(status).toBe(200)
    expect(headers['spean-manifest']).toBeDefined()
  })

  const FORGERIES: [name: string, forgery: () => Forgery, code: ErrorCode][] = [
    ['another body', sentAs({ body: 'The body' }), 'manifest.body-altered'],
    ['no body', sentAs({ body: '' }), 'manifest.body-altered'],
    ['another method', sentAs({ method: 'PUT' }), 'manifest.message-altered'],
    ['another path', sentAs({ path: `/r1/${REGISTRY}/echo/y` }), 'manifest.message-altered'],
    ['another query', sentAs({ path: `/r1/${REGISTRY}/echo/x?a` }), 'manifest.message-altered'],
    ['other headers', sentAs({ rawHeaders: ['x-road-client', bank] }), 'manifest.message-altered'],
    ['no manifest', sentAs({ jws: () => undefined }), 'manifest.missing'],
    ['a manifest of two parts', sentAs({ jws: () => 'a.b' }), 'manifest.malformed'],
    [
      'a manifest altered after signing',
      sentAs({ jws: alterPayload }),
      'manifest.signature-invalid',
    ],
    ['alg none', sentAs({ jws: algNone }), 'manifest.malformed'],
    ['an expired signature', () => ({ signedAt: minutesAgo(6) }), 'manifest.time-invalid'],
    ['a signature of the future', () => ({ signedAt: minutesAgo(-6) }), 'manifest.time-invalid'],
    [
      "another member's signature",
      () => ({ signer: { member: `${INSTANCE}/GOV/REG`, credentials: f.provider.signing } }),
      'manifest.signer-unknown',
    ],
    [
      'a foreign signing certificate',
      () => ({ signer: { member: bank, credentials: foreign.client.signing } }),
      'manifest.signer-unknown',
    ],
    [
      'an authentication key as the seal',
      () => ({ signer: { member: bank, credentials: f.client.authentication } }),
      'manifest.signer-unknown',
    ],
    [
      'a client that the gateway does not serve',
      () => ({ manifest: { client: `${bank}/OTHER` } }),
      'peer.client-mismatch',
    ],
    [
      'a manifest made at another gateway',
      () => ({ manifest: { gateway: `${INSTANCE}/GOV/REG/REG-1` } }),
      'peer.client-mismatch',
    ],
    [
      'a manifest that names another service than its path',
      () => ({ manifest: { service: `${REGISTRY}/other` } }),
      'manifest.malformed',
    ],
    [
      'a manifest that names another user than the header',
      () => ({ manifest: { userId: 'somebody else' } }),
      'manifest.malformed',
    ],
    [
      'a manifest with another message id than the header',
      () => ({ manifest: { messageId: 'm-2' } }),
      'manifest.malformed',
    ],
    [
      'a response as the request',
      () => ({ manifest: { kind: 'response' as never } }),
      'manifest.malformed',
    ],
    [
      'an exchange id that is none',
      () => ({ manifest: { exchangeId: 'x' } }),
      'manifest.malformed',
    ],
  ]
  it.each(FORGERIES)('with %s is refused', async (_name, forgery, code) => {
    await expectPeerRefusal(sendToPeer(f, forgery()), code, f.register.calls.length)
  })

  it('is served once: its repetition is refused, also after a restart', async () => {
    const manifest = { exchangeId: newExchangeId(new Date()) }
    expect((await sendToPeer(f, { manifest })).status).toBe(200)
    const calls = f.register.calls.length
    await expectPeerRefusal(sendToPeer(f, { manifest }), 'manifest.replayed', calls)
    await f.provider.restart()
    await f.settled()
    await expectPeerRefusal(sendToPeer(f, { manifest }), 'manifest.replayed', calls)
    const { exchanges } = await f.provider.admin.call<{ exchanges: { outcome: string }[] }>(
      'GET',
      `/admin/log?id=${manifest.exchangeId}`,
    )
    expect(exchanges.map(({ outcome }) => outcome)).toEqual(['refused', 'refused', 'ok'])
  })

  it('raced against its own repetition is served once', async () => {
    const manifest = { exchangeId: newExchangeId(new Date()) }
    const calls = f.register.calls.length
    const answers = await Promise.all([1, 2, 3, 4].map(() => sendToPeer(f, { manifest })))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 409, 409, 409,
    ])
    expect(f.register.calls.length).toBe(calls + 1)
  })

  it('that is not HTTP is answered in words', async () => {
    await expect(sendBytes(f.provider.running.ports.peers, 'GET / HTTP/1.1\r\n\r\n')).resolves.toBe(
      '',
    )
  })
})

describe('the certificate that a calling gateway shows', () => {
  const order = {
    kind: 'authentication',
    identity: { instance: INSTANCE, memberClass: 'COM', member: 'BANK', gateway: 'BANK-1' },
  } as const
  const SHOWN: [name: string, tls: () => Promise<Credentials | null>, code: ErrorCode][] = [
    ['none', async () => null, 'peer.certificate-missing'],
    [
      'an unregistered one',
      () => obtain(f.authority.authority, order),
      'peer.certificate-unregistered',
    ],
    [
      'one of an unknown authority',
      async () => foreign.client.authentication,
      'certificate.untrusted',
    ],
    ['a seal', async () => f.client.signing, 'certificate.untrusted'],
    [
      'an expired one',
      async () => {
        f.clocks.authority.offsetMs = -3 * DAY_MS
        const expired = await obtain(f.authority.authority, { ...order, validityDays: 1 })
        f.clocks.authority.offsetMs = 0
        return expired
      },
      'certificate.expired',
    ],
    [
      'a revoked one',
      async () => {
        const revoked = await obtain(f.authority.authority, order)
        await f.catalogueAdmin.call('POST', '/admin/gateways/COM/BANK/BANK-1/certificates', {
          certificate: revoked.certificate.pem,
        })
        await f.settled()
        f.authority.authority.revoke(revoked.certificate.serial, 'keyCompromise')
        return new Promise((done) => setTimeout(() => done(revoked), 2500))
      },
      'certificate.revoked',
    ],
  ]
  it.each(SHOWN)('is refused: %s', async (_name, tls, code) => {
    const shown = await tls()
    await expectPeerRefusal(sendToPeer(f, { tls: shown }), code, f.register.calls.length)
  })
})

const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * MINUTE_MS)

function alterPayload(jws: string): string {
  const [head, payload, signature] = jws.split('.') as [string, string, string]
  const text = Buffer.from(payload, 'base64url').toString('utf8').replace('"m-1"', '"m-2"')
  return [head, Buffer.from(text).toString('base64url'), signature].join('.')
}

function algNone(jws: string): string {
  const [head, payload] = jws.split('.') as [string, string]
  const header = JSON.parse(Buffer.from(head, 'base64url').toString('utf8')) as object
  const none = Buffer.from(JSON.stringify({ ...header, alg: 'none' })).toString('base64url')
  return `${none}.${payload}.AA`
}
