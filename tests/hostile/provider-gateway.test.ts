import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import { obtain } from '../support/certificates.ts'
import { DAY_MS } from '../support/clock.ts'
import { INSTANCE, startFederation, type Federation } from '../support/federation.ts'
import { startFakeProvider, type FakeProvider, type Lie } from '../support/peer.ts'
import { expectRefusal } from '../support/refusals.ts'

let f: Federation
let fake: FakeProvider
const open: AsyncDisposable[] = []
beforeAll(async () => {
  f = await startFederation()
  fake = await startFakeProvider(f, 'FAKE')
})
afterAll(async () => {
  for (const resource of open) await resource[Symbol.asyncDispose]()
  await fake[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

const refused = (code: ErrorCode, path = fake.path): Promise<void> =>
  expectRefusal(f, { name: code, send: (g) => g.call(path), code, by: 'client' })

describe('a provider gateway', () => {
  it('is believed when everything is right', async () => {
    fake.behave = (request, response) => fake.answer(request, response)
    const { status, body } = await f.call(fake.path)
    expect([status, body.toString('utf8')]).toEqual([200, 'answer'])
  })

  const LIES: [name: string, lie: () => Lie, code: ErrorCode][] = [
    ['another body', () => ({ body: 'Answer' }), 'manifest.body-altered'],
    ['a longer body', () => ({ body: 'answer ' }), 'manifest.body-altered'],
    ['another status', () => ({ status: 201 }), 'manifest.message-altered'],
    ['one more header', () => ({ rawHeaders: ['x-more', '1'] }), 'manifest.message-altered'],
    ['no manifest', () => ({ jws: () => undefined }), 'provider.answer-invalid'],
    ['a manifest that is no JWS', () => ({ jws: () => 'a.b' }), 'manifest.malformed'],
    [
      'a signature altered by one bit',
      () => ({ jws: flipSignature }),
      'manifest.signature-invalid',
    ],
    [
      'the answer to another exchange',
      () => ({ manifest: { exchangeId: '01a206cc-083d-72a8-8932-a6c940c296d0' } }),
      'response.mismatch',
    ],
    [
      'an answer to another request',
      () => ({ manifest: { requestDigest: 'A'.repeat(43) } }),
      'response.mismatch',
    ],
    ['an answer of another service', () => ({ manifest: { service: 'x' } }), 'response.mismatch'],
    ['an answer of another gateway', () => ({ manifest: { gateway: 'x' } }), 'response.mismatch'],
    [
      'the headers of another exchange',
      () => ({ headers: ['x-road-request-id', '01a206cc-083d-72a8-8932-a6c940c296d0'] }),
      'response.mismatch',
    ],
    ['an X-Road-Error of its own', () => ({ headers: ['x-road-error', 'x'] }), 'response.mismatch'],
    [
      'a request as the answer',
      () => ({ manifest: { kind: 'request' as never } }),
      'manifest.malformed',
    ],
    [
      "another member's signature",
      () => ({ signer: { member: `${INSTANCE}/COM/BANK`, credentials: f.client.signing } }),
      'manifest.signer-unknown',
    ],
    [
      'a key that is not registered for the member',
      () => ({ signer: { member: `${INSTANCE}/GOV/FAKE`, credentials: f.client.signing } }),
      'manifest.signer-unknown',
    ],
  ]
  it.each(LIES)('that answers with %s is refused', async (_name, lie, code) => {
    fake.behave = (request, response) => fake.answer(request, response, lie())
    await refused(code)
  })

  it('that is refused again and again takes none of our connections away', async () => {
    const lie = { status: 201, body: 'x'.repeat(1_000_000) }
    fake.behave = (request, response) => fake.answer(request, response, lie)
    for (let i = 0; i < 2 * f.client.config.connections; i += 1) {
      expect((await f.call(fake.path)).status).toBe(403)
    }
    fake.behave = (request, response) => fake.answer(request, response)
    expect((await f.call(fake.path)).status).toBe(200)
  })

  it('that answers with something that is not HTTP is refused', async () => {
    fake.behave = (request) => request.socket.end('ANSWER 42\r\n\r\n')
    await refused('provider.answer-invalid')
  })

  it('that answers with a page is refused', async () => {
    fake.behave = (_request, response) => response.writeHead(502).end('<html>')
    await refused('provider.answer-invalid')
  })

  it('that drops the connection half way is told from one that never answered', async () => {
    fake.behave = (request, response) => {
      fake.answer(request, response, { rawHeaders: ['content-length', '6'], body: 'ans' })
      request.socket.end()
    }
    await refused('provider.answer-incomplete')
    fake.behave = (request) => request.socket.destroy()
    await refused('provider.answer-incomplete')
  })

  it('that does not answer is waited for no longer than configured', async () => {
    fake.behave = () => undefined
    await refused('provider.timeout')
  })

  it('that stops in the middle of its answer is waited for no longer than configured', async () => {
    fake.behave = (request, response) => {
      response.end = (() => response.write('a')) as unknown as typeof response.end
      fake.answer(request, response)
    }
    await refused('provider.timeout')
  })

  it('that is down is unreachable', async () => {
    const down = await startFakeProvider(f, 'DOWN')
    await down[Symbol.asyncDispose]()
    await refused('provider.unreachable', down.path)
  })

  it('that refuses is quoted, with its side', async () => {
    fake.behave = (_request, response) => {
      const problem = { code: 'access.denied', detail: 'no grant', origin: 'provider-gateway' }
      response.writeHead(403).end(JSON.stringify(problem))
    }
    const { headers, body } = await f.call(fake.path)
    expect(headers['x-road-error']).toBe('server.serverproxy.access_denied')
    expect(body.toString('utf8')).toContain(
      'The provider gateway refused (access.denied): no grant',
    )
  })

  it('cannot make us say a code that does not exist', async () => {
    fake.behave = (_request, response) => {
      response.writeHead(403).end(JSON.stringify({ code: 'toString', detail: 'x' }))
    }
    const { headers } = await f.call(fake.path)
    expect(headers['x-road-error']).toBe('server.clientproxy.invalid_response')
  })
})

describe('the certificate that a provider gateway shows', () => {
  const shows = async (
    member: string,
    shown: Parameters<typeof startFakeProvider>[2],
  ): Promise<string> => {
    const provider = await startFakeProvider(f, member, shown)
    provider.behave = (request, response) => provider.answer(request, response)
    open.push(provider)
    return provider.path
  }

  it('is refused when it is registered for no gateway', async () => {
    const other = () => obtain(f.authority.authority, gatewayOrder('OTHER'))
    await refused('provider.certificate-unregistered', await shows('UNREGISTERED', other))
  })

  it('is refused when another authority issued it', async () => {
    const foreign = await startFederation()
    open.push(foreign)
    const issue = () => obtain(foreign.authority.authority, gatewayOrder('FOREIGN'))
    await refused('certificate.untrusted', await shows('FOREIGN', issue))
  })

  it('is refused when it has expired', async () => {
    const expired = async () => {
      f.clocks.authority.offsetMs = -3 * DAY_MS
      const credentials = await obtain(f.authority.authority, {
        ...gatewayOrder('EXPIRED'),
        validityDays: 1,
      })
      f.clocks.authority.offsetMs = 0
      return credentials
    }
    await refused('certificate.expired', await shows('EXPIRED', expired))
  })

  it('is refused when it is revoked, also on a connection that is open', async () => {
    const provider = await startFakeProvider(f, 'REVOKED')
    open.push(provider)
    provider.behave = (request, response) => provider.answer(request, response)
    expect((await f.call(provider.path)).status).toBe(200)
    const { serial } = provider.authentication.certificate
    f.authority.authority.revoke(serial, 'keyCompromise')
    await ocspRefreshed()
    await refused('certificate.revoked', provider.path)
  })

  it('is refused when it is no gateway certificate', async () => {
    await refused(
      'certificate.untrusted',
      await shows('SEAL', (own) => ({ ...own, ...f.client.signing })),
    )
  })
})

describe('the signing certificate of a provider', () => {
  it('is refused when it is revoked', async () => {
    const provider = await startFakeProvider(f, 'REVOKEDSEAL')
    open.push(provider)
    provider.behave = (request, response) => provider.answer(request, response)
    f.authority.authority.revoke(provider.signing.certificate.serial, 'keyCompromise')
    await ocspRefreshed()
    await refused('certificate.revoked', provider.path)
  })
})

/** The gateways of a test federation fetch states anew each second. */
const ocspRefreshed = (): Promise<void> => new Promise((done) => setTimeout(done, 2500))

function gatewayOrder(member: string) {
  const identity = { instance: INSTANCE, memberClass: 'GOV', member, gateway: `${member}-1` }
  return { kind: 'authentication', identity } as const
}

function flipSignature(jws: string): string {
  const bytes = Buffer.from(jws.slice(jws.lastIndexOf('.') + 1), 'base64url')
  bytes[10]! ^= 1
  return jws.slice(0, jws.lastIndexOf('.') + 1) + bytes.toString('base64url')
}
