/**
 * Faults of the trust plumbing that gateways elsewhere report as something else: each is injected, and its
 * refusal must name the cause, the side and what to do.
 */
import { createServer as createHttpsServer } from 'node:https'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorEntry, type ErrorCode } from '../../protocol/errors.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { DAY_MS, HOUR_MS } from '../support/clock.ts'
import { INSTANCE, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { sendToPeer } from '../support/peer.ts'
import { expectRefusal } from '../support/refusals.ts'

let f: Federation
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const resource of open.splice(0)) await resource[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

const CLIENT_GATEWAY = `${INSTANCE}/COM/BANK/BANK-1`
const PROVIDER_GATEWAY = `${INSTANCE}/GOV/REG/REG-1`
const WHO = {
  client: 'The client gateway refused',
  provider: 'The provider gateway refused',
}

/** Code, status, fault, both logs; the sentence with its side, each fact and the remedy. */
async function expectTold(
  code: ErrorCode,
  by: 'client' | 'provider',
  facts: readonly (string | RegExp)[],
  service = 'echo',
): Promise<void> {
  let text = ''
  const call = async () => {
    const answer = await f.call(`/r1/${REGISTRY}/${service}`)
    text = answer.body.toString('utf8')
    return answer
  }
  await expectRefusal(f, { name: code, send: call, code, by })
  const { message } = JSON.parse(text) as { message: string }
  expect(message).toContain(`${WHO[by]} (${code}): `)
  for (const fact of facts) expect(message).toMatch(fact)
  expect(message).toContain(errorEntry(code).remedy)
}
const works = async (): Promise<void> =>
  expect((await f.call(`/r1/${REGISTRY}/echo`)).status).toBe(200)
const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`

describe('an OCSP answer that is too old', () => {
  beforeEach(async () => {
    f = await startFederation()
    await works()
  })

  it.each([
    ['client', CLIENT_GATEWAY, 'REG'],
    ['provider', PROVIDER_GATEWAY, 'BANK'],
  ] as const)('is told by the %s, whose limit it passed', async (side, gateway, subject) => {
    const other = side === 'client' ? 'provider' : 'client'
    await f[side].restart({ ocspOutageMinutes: 300 })
    await f[other].restart({ ocspOutageMinutes: 600 })
    await f.settled()
    await works()
    await f.authority[Symbol.asyncDispose]()
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 4.9 * HOUR_MS
    await works()
    const status = await f[side].admin.call<{ ocsp: Record<string, unknown>[] }>(
      'GET',
      '/admin/status',
    )
    const fault = expect.any(String) as string
    const heard = { status: 'good', ageSeconds: expect.any(Number) as number, fault }
    expect(status.ocsp.find(({ own }) => own === false)).toMatchObject(heard)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 5.5 * HOUR_MS
    await expectTold('certificate.status-stale', side, [
      `gateway ${gateway} last heard at `,
      new RegExp(`${ISO}.* that .*CN=${subject}.* is not revoked`),
      /that is 5 h 30 min ago, and 5 h is the limit/,
      /its OCSP responder http:\/\/127.0.0.1:\d+\/ocsp does not answer \(.*ECONNREFUSED/,
    ])
  })
})

describe('a certificate that is at the gateway but not active', () => {
  beforeEach(async () => {
    f = await startFederation()
    await works()
  })
  const unlist = async (owner: 'member' | 'gateway', parts: string[], held: Credentials) => {
    const path = apiPath(`/admin/${owner}s`, ...parts)
    const { thumbprint } = held.certificate
    await f.catalogueAdmin.call('DELETE', `${path}/certificates/${thumbprint}`)
    await f.settled()
  }

  it('for signing, is told by the client’s gateway before anything is sent', async () => {
    await unlist('member', ['COM', 'BANK'], f.client.signing)
    await expectTold('gateway.certificate-inactive', 'client', [
      `gateway ${CLIENT_GATEWAY} holds the signing certificate of ${INSTANCE}/COM/BANK, but it is not active`,
      f.client.signing.certificate.serial,
      'is not registered in the catalogue',
    ])
  })

  it('for signing, is told by the provider’s gateway before the service is called', async () => {
    await unlist('member', ['GOV', 'REG'], f.provider.signing)
    await expectTold('gateway.certificate-inactive', 'provider', [
      `gateway ${PROVIDER_GATEWAY} holds the signing certificate of ${INSTANCE}/GOV/REG, but it is not active`,
      f.provider.signing.certificate.serial,
    ])
  })

  it('for authentication, is told by the gateway that holds it, which does not connect', async () => {
    await unlist('gateway', ['COM', 'BANK', 'BANK-1'], f.client.authentication)
    await expectTold('gateway.certificate-inactive', 'client', [
      `gateway ${CLIENT_GATEWAY} holds the authentication certificate of ${CLIENT_GATEWAY}, but it is not active`,
      f.client.authentication.certificate.serial,
    ])
    const { exchanges } = await f.provider.admin.call<{ exchanges: { outcome: string }[] }>(
      'GET',
      '/admin/log?outcome=refused',
    )
    expect(exchanges).toEqual([])
  })
})

describe('a member none of whose certificates can be used', () => {
  it('is told what each of them lacks', async () => {
    f = await startFederation()
    const identity = { instance: INSTANCE, memberClass: 'COM', member: 'BANK' }
    const order = { kind: 'signing', identity } as const
    const { authority } = f.authority
    f.clocks.authority.offsetMs = -3 * DAY_MS
    const expired = await obtain(authority, { ...order, validityDays: 1 })
    f.clocks.authority.offsetMs = 0
    const unlisted = await obtain(authority, order)
    authority.revoke(unlisted.certificate.serial, 'superseded')
    const files = [expired, unlisted].map(({ cert, key }, i) => {
      const at = (name: string): string => `${f.dir}/BANK-1/other-${i}.${name}`
      writePrivateFile(at('key'), key)
      writeFileSync(at('pem'), cert)
      return { member: `${INSTANCE}/COM/BANK`, keyFile: at('key'), certificateFile: at('pem') }
    })
    const [own] = f.client.config.signing
    await f.client.restart({ signing: [...files, own!] })
    await f.settled()
    await works() // by the one that can be used
    authority.revoke(f.client.signing.certificate.serial, 'keyCompromise')
    await new Promise((done) => setTimeout(done, 2500))
    const serialOf = ({ certificate }: Credentials): string => certificate.serial
    await expectTold('gateway.certificate-unsuitable', 'client', [
      `gateway ${CLIENT_GATEWAY} has no signing certificate of ${INSTANCE}/COM/BANK that it may use`,
      new RegExp(`serial ${serialOf(expired)}\\) expired at ${ISO}.*, is not registered`),
      new RegExp(`serial ${serialOf(unlisted)}\\) was revoked at ${ISO}.*\\(superseded\\)`),
      new RegExp(
        `serial ${serialOf(f.client.signing)}\\) was revoked at ${ISO}.*\\(keyCompromise\\)`,
      ),
    ])
  })
})

describe('an HTTPS service', () => {
  beforeEach(async () => {
    f = await startFederation()
  })
  const order = {
    kind: 'server',
    identity: { instance: INSTANCE, memberClass: 'GOV', member: 'REG' },
  } as const
  const serve = async ({ cert, key }: Credentials, host = '127.0.0.1'): Promise<string> => {
    const server = createHttpsServer({ cert, key }, (_, response) => response.end('secure'))
    const listening = await listen(server, 0, host)
    open.push(listening)
    return `https://${host}:${listening.port}/`
  }
  const connect = async (url: string): Promise<void> => {
    await f.addService('secure', { url })
    await f.settled()
  }

  it('whose certificate nobody vouches for is told with what it shows and the command', async () => {
    const foreign = await startFederation()
    open.push(foreign)
    const shown = await obtain(foreign.authority.authority, order)
    const url = await serve(shown)
    await connect(url)
    const facts = [
      `${REGISTRY}/secure at ${new URL(url).host} shows a certificate of ${shown.certificate.subject}`,
      `issued by ${shown.certificate.issuer}`,
      'no approved authority vouches',
      `spean service connect ${REGISTRY}/secure ${url} --ca FILE`,
    ]
    await expectTold('service.certificate-unknown', 'provider', facts, 'secure')
    await f.addService('secure', { url, caCertificates: f.ca })
    const given = ['no authority given for it vouches']
    await expectTold('service.certificate-unknown', 'provider', given, 'secure')
  })

  it('with the certificate of another host is told apart', async () => {
    const shown = await obtain(f.authority.authority, order)
    await connect(await serve(shown, '127.0.0.2'))
    const facts = ['shows a certificate of another host', '127.0.0.2', shown.certificate.subject]
    await expectTold('certificate.untrusted', 'provider', facts, 'secure')
  })

  it('with a certificate that has run out is told apart', async () => {
    f.clocks.authority.offsetMs = -3 * DAY_MS
    const shown = await obtain(f.authority.authority, { ...order, validityDays: 1 })
    f.clocks.authority.offsetMs = 0
    await connect(await serve(shown))
    const facts = [shown.certificate.subject, shown.certificate.notAfter.toISOString()]
    await expectTold('certificate.expired', 'provider', facts, 'secure')
  })
})

describe('a clock that is off by an hour', () => {
  beforeEach(async () => {
    const often = { catalogueWaitSeconds: 1 }
    f = await startFederation({ client: often, provider: often })
    await works()
  })
  const measured = async (side: 'client' | 'provider', offsetMs: number): Promise<void> => {
    const clock = async (): Promise<number> =>
      (await f[side].admin.call<{ clock?: { offsetMs: number } }>('GET', '/admin/status')).clock
        ?.offsetMs ?? 0
    const isNear = async (): Promise<void> =>
      expect(Math.abs((await clock()) - offsetMs)).toBeLessThan(3000)
    await vi.waitFor(isNear, { timeout: 15_000, interval: 50 })
  }

  it.each([
    ['client', 1, 'ahead of'],
    ['client', -1, 'behind'],
    ['provider', 1, 'ahead of'],
    ['provider', -1, 'behind'],
  ] as const)(
    'at the %s, by %i, is told as that, and forgotten when it is set',
    async (side, hours, which) => {
      f.clocks[side].offsetMs = hours * HOUR_MS
      await measured(side, hours * HOUR_MS)
      const gateway = side === 'client' ? CLIENT_GATEWAY : PROVIDER_GATEWAY
      await expectTold('gateway.clock-off', side, [
        new RegExp(
          `the clock of gateway ${gateway} is (1 h|59 min|1 h 0 min) \\((3600|3599|3601) s\\) ${which} that of the catalogue at https://`,
        ),
        /300 s is the limit/,
      ])
      f.clocks[side].offsetMs = 0
      await works()
    },
  )

  it('is told, with whose it is, by the side that does not yet know better', async () => {
    await measured('provider', 0)
    const signedAt = new Date(Date.now() + HOUR_MS)
    const { body } = await sendToPeer(f, { signedAt })
    const { code, detail } = JSON.parse(body.toString()) as Record<string, string>
    expect(code).toBe('manifest.time-invalid')
    expect(detail).toMatch(/(3600|3599) s in the future/)
    expect(detail).toContain(`the clock of gateway ${CLIENT_GATEWAY} is ahead`)
    expect(detail).toContain(
      `the clock of gateway ${PROVIDER_GATEWAY} is right by that of the catalogue`,
    )
  })
})
