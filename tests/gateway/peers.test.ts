import type { Server as HttpServer, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { GatewayEntry } from '../../gateway/catalogue-view.ts'
import { createPeers } from '../../gateway/peers/peers.ts'
import type { OutgoingRequest, Peers, Trust } from '../../gateway/ports.ts'
import { openAuthority } from '../../pki/authority/authority.ts'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { temporaryFolder } from '../pki/support.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { textBody } from './support.ts'

const IDENTITY = { instance: 'KH-TEST', memberClass: 'GOV', member: 'REG', gateway: 'REG-1' }
const ID = 'KH-TEST/GOV/REG/REG-1'

let first: Credentials
let second: Credentials
let server: Server
let port: number
let peers: Peers
/** What trust says of a certificate, by its thumbprint. */
let refusals: Map<string, ErrorCode>
let verify: Trust['verify']
let connections: number
let answer: (response: ServerResponse) => void

beforeEach(async () => {
  await using resources = new AsyncDisposableStack()
  const authority = await openAuthority({
    instance: 'KH-TEST',
    stateDir: join(temporaryFolder(), 'authority'),
    publicUrl: () => 'http://127.0.0.1:1',
    clock: () => new Date(),
  })
  resources.use(authority)
  const order = { kind: 'authentication', identity: IDENTITY } as const
  first = await obtain(authority, order)
  second = await obtain(authority, order)
  connections = 0
  answer = (response) => response.writeHead(200, { 'spean-manifest': 'jws' }).end('answer')
  server = createServer({ cert: first.cert, key: first.key }, (_, response) => answer(response))
  server.on('secureConnection', () => (connections += 1))
  const listening = resources.use(await listen(server as unknown as HttpServer, 0))
  resources.defer(() => server.closeAllConnections())
  port = listening.port
  refusals = new Map()
  verify = async ({ thumbprint }) => {
    const code = refusals.get(thumbprint)
    if (code !== undefined) throw new ExchangeError(code, 'no')
  }
  const made = createPeers({
    own: () => ({ thumbprint: first.certificate.thumbprint, cert: first.cert, key: first.key }),
    trust: { verify: (...question) => verify(...question) },
    clock: () => new Date(),
    connectMs: 5000,
    answerMs: 5000,
    idleMs: 5000,
    connections: 1,
  })
  peers = resources.use(made)
  const open = resources.move()
  return () => open.disposeAsync()
})

const entry = (...registered: Credentials[]): GatewayEntry => ({
  id: ID,
  address: `https://127.0.0.1:${port}`,
  certificates: new Map(registered.map(({ certificate: c }) => [c.thumbprint, c])),
  clients: new Set(),
})
async function send(gateway: GatewayEntry): Promise<number> {
  await using scope = new AsyncDisposableStack()
  const message = { method: 'GET', target: '/r1/x', headers: [], manifest: 'jws' }
  const outgoing: OutgoingRequest = { ...message, body: textBody(''), scope }
  const { status, stream } = await peers.send(gateway, outgoing)
  await stream.toArray()
  return status
}

describe('connections to another gateway', () => {
  it('are kept open, and their certificate is verified again for each exchange', async () => {
    const gateway = entry(first)
    for (let i = 0; i < 3; i += 1) expect(await send(gateway)).toBe(200)
    expect(connections).toBe(1)
    refusals.set(first.certificate.thumbprint, 'certificate.revoked')
    await expect(send(gateway)).rejects.toMatchObject({ code: 'certificate.revoked' })
  })

  it.each([
    ['30', 30],
    ['0', 0],
    ['-1', undefined],
    ['1e3', undefined],
    ['99999999999', undefined],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
    [undefined, undefined],
  ])('hand on the Retry-After of a refusal: %s', async (value, retryAfterSeconds) => {
    const body = JSON.stringify({ code: 'access.quota-exceeded', detail: 'd' })
    const headers = value === undefined ? {} : { 'retry-after': value }
    answer = (response) => response.writeHead(429, headers).end(body)
    const refused = { code: 'access.quota-exceeded', retryAfterSeconds }
    await expect(send(entry(first))).rejects.toMatchObject(refused)
  })

  it('are made anew when its registration has changed', async () => {
    expect(await send(entry(first))).toBe(200)
    const unregistered = send(entry(second))
    await expect(unregistered).rejects.toMatchObject({ code: 'provider.certificate-unregistered' })
    expect(await send(entry(first, second))).toBe(200)
  })

  it('do not stay open when the certificate was refused', async () => {
    const refused = { code: 'provider.certificate-unregistered' }
    await expect(send(entry(second))).rejects.toMatchObject(refused)
    const count = promisify(server.getConnections.bind(server)) as () => Promise<number>
    await vi.waitFor(async () => expect(await count()).toBe(0))
  })

  it('go by the certificate that it shows now: an old one that was replaced does no harm', async () => {
    const gateway = entry(first, second)
    expect(await send(gateway)).toBe(200)
    server.setSecureContext({ cert: second.cert, key: second.key })
    server.closeAllConnections()
    for (const code of ['certificate.revoked', 'certificate.expired'] as const) {
      refusals.set(first.certificate.thumbprint, code)
      expect(await send(gateway)).toBe(200)
    }
  })

  it('whose certificate ran out carry the exchange under way to its end, and no new one', async () => {
    const gateway = entry(first, second)
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const plain = answer
    answer = (response) => {
      begun.resolve()
      void held.promise.then(() => plain(response))
    }
    const underWay = send(gateway)
    await begun.promise
    refusals.set(first.certificate.thumbprint, 'certificate.expired')
    server.setSecureContext({ cert: second.cert, key: second.key })
    answer = plain
    // One connection for each pool: the new exchange has one of its own, at once.
    expect(await send(gateway)).toBe(200)
    expect(connections).toBe(2)
    held.resolve()
    expect(await underWay).toBe(200)
    const count = promisify(server.getConnections.bind(server)) as () => Promise<number>
    await vi.waitFor(async () => expect(await count()).toBe(1))
  })

  it('whose certificate was revoked are cut off, exchanges under way and all', async () => {
    const gateway = entry(first, second)
    const begun = Promise.withResolvers<void>()
    const plain = answer
    answer = () => begun.resolve()
    const underWay = send(gateway)
    await begun.promise
    answer = plain
    refusals.set(first.certificate.thumbprint, 'certificate.revoked')
    const cut = expect(underWay).rejects.toMatchObject({ code: 'provider.answer-incomplete' })
    await expect(send(gateway)).rejects.toMatchObject({ code: 'certificate.revoked' })
    await cut
  })

  it('are not lost to an exchange whose registration is replaced under it', async () => {
    const before = entry(first)
    expect(await send(before)).toBe(200)
    const plain = verify
    const held = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    verify = async (...question) => {
      verify = plain
      asked.resolve()
      await held.promise
      return plain(...question)
    }
    const slow = send(before)
    await asked.promise
    expect(await send(entry(first, second))).toBe(200)
    held.resolve()
    expect(await slow).toBe(200)
  })

  it('take an answer without a manifest for a refusal, and a page for no answer', async () => {
    const problem = JSON.stringify({ code: 'access.denied', detail: 'no', origin: 'service' })
    answer = (response) => response.writeHead(403).end(problem)
    const refused = { code: 'access.denied', origin: 'service' }
    await expect(send(entry(first))).rejects.toMatchObject(refused)
    const invalid = { code: 'provider.answer-invalid' }
    answer = (response) => response.writeHead(200).end(problem)
    await expect(send(entry(first))).rejects.toMatchObject(invalid)
    answer = (response) => response.writeHead(403).end('x'.repeat(100_000))
    await expect(send(entry(first))).rejects.toMatchObject(invalid)
  })
})
