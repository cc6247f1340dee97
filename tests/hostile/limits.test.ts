import { createServer as createHttpsServer } from 'node:https'
import { writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { obtain } from '../support/certificates.ts'
import { DAY_MS, MINUTE_MS } from '../support/clock.ts'
import { INSTANCE, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { sendToPeer } from '../support/peer.ts'
import { expectRefusal } from '../support/refusals.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const resource of open.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
})
async function federation(...options: Parameters<typeof startFederation>): Promise<Federation> {
  const f = await startFederation(...options)
  open.push(f)
  return f
}
const refused = (
  f: Federation,
  path: string,
  code: ErrorCode,
  by: 'client' | 'provider' | 'service',
  calls = 0,
): Promise<void> => expectRefusal(f, { name: code, send: (g) => g.call(path), code, by, calls })

const TIMEOUTS = { connectMs: 400, serviceMs: 1000, providerMs: 4000, idleMs: 700, requestMs: 1500 }

describe('a service that', () => {
  it('drips its answer is waited for no longer than a message may take, and then left', async () => {
    const f = await federation({ provider: { timeouts: TIMEOUTS, connections: 1 } })
    await refused(f, `/r1/${REGISTRY}/echo/drip`, 'service.timeout', 'service', 1)
    expect((await f.call(`/r1/${REGISTRY}/echo`)).status).toBe(200)
  })

  it('has all its connections in use is not called later, when nobody waits any more', async () => {
    const f = await federation({ provider: { timeouts: TIMEOUTS, connections: 1 } })
    const first = f.call(`/r1/${REGISTRY}/echo/silent`)
    while (f.register.calls.length === 0) await new Promise((done) => setTimeout(done, 5))
    await refused(f, `/r1/${REGISTRY}/echo`, 'service.overloaded', 'service')
    expect((await first).status).toBe(504)
    expect(f.register.calls.map(({ url }) => url)).toEqual(['/base/silent'])
  })

  it('shows the certificate of another host is refused', async () => {
    const f = await federation()
    const identity = { instance: INSTANCE, memberClass: 'COM', member: 'OTHER' }
    const tls = await obtain(f.authority.authority, { kind: 'server', identity })
    const server = createHttpsServer({ cert: tls.cert, key: tls.key }, (_, response) => {
      response.end('secret')
    })
    const listening = await listen(server, 0, '127.0.0.2')
    open.push(listening)
    await f.addService('elsewhere', { url: `https://127.0.0.2:${listening.port}/` })
    await f.settled()
    await refused(f, `/r1/${REGISTRY}/elsewhere`, 'certificate.untrusted', 'provider')
  })
})

describe('a gateway', () => {
  it('without a registered seal of its member does not call the service', async () => {
    const f = await federation()
    const { thumbprint } = f.provider.signing.certificate
    const path = `/admin/members/GOV/REG/certificates/${thumbprint}`
    await f.catalogueAdmin.call('DELETE', path)
    await f.settled()
    await refused(f, `/r1/${REGISTRY}/echo`, 'gateway.certificate-inactive', 'provider')
  })

  it('whose certificate was renewed with overlap is called on when the old one has expired', async () => {
    const f = await federation()
    const identity = { instance: INSTANCE, memberClass: 'GOV', member: 'REG', gateway: 'REG-1' }
    const order = { kind: 'authentication', identity } as const
    const { keyFile, certificateFile } = f.provider.config.authentication
    const use = async (validityDays: number): Promise<void> => {
      const renewed = await obtain(f.authority.authority, { ...order, validityDays })
      await f.catalogueAdmin.call('POST', '/admin/gateways/GOV/REG/REG-1/certificates', {
        certificate: renewed.certificate.pem,
      })
      await f.settled()
      writePrivateFile(keyFile, renewed.key)
      writeFileSync(certificateFile, renewed.cert)
      await f.provider.restart()
      await f.settled()
      expect((await f.call(`/r1/${REGISTRY}/echo`)).status).toBe(200)
    }
    await use(1)
    await use(700)
    const before = f.catalogue.snapshotNumber()
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 2 * DAY_MS
    while (f.catalogue.snapshotNumber() === before)
      await new Promise((done) => setTimeout(done, 20))
    await f.settled()
    expect((await f.call(`/r1/${REGISTRY}/echo`)).status).toBe(200)
  })

  it('records a stranger’s refusal under an id of its own', async () => {
    const f = await federation()
    const { headers } = await f.call(`/r1/${REGISTRY}/echo`)
    const exchangeId = String(headers['x-road-request-id'])
    const stranger = await sendToPeer(f, { tls: null, manifest: { exchangeId } })
    expect(stranger.status).toBe(403)
    const entries = await f.provider.entries(exchangeId)
    expect(entries.map(({ kind }) => kind)).toEqual(['request', 'response'])
  })

  it('counts the refusals of a flood of strangers, and keeps room in its log', async () => {
    const f = await federation()
    // Counted by the minute: with all of one ahead, the flood is over before the next.
    const { client } = f.clocks
    client.offsetMs += MINUTE_MS - (client.now().getTime() % MINUTE_MS)
    for (let i = 0; i < 700; i += 1) await f.call('/nothing')
    const { exchanges } = await f.client.admin.call<{ exchanges: unknown[] }>(
      'GET',
      '/admin/log?code=request.route-unknown&limit=1000',
    )
    expect(exchanges.length).toBeGreaterThanOrEqual(600)
    expect(exchanges.length).toBeLessThan(700)
    for (const clock of Object.values(f.clocks)) clock.offsetMs += 60_000
    await f.call('/nothing')
    const after = await f.client.admin.call<{ exchanges: { exchangeId: string }[] }>(
      'GET',
      '/admin/log?code=request.route-unknown&limit=2',
    )
    const [summary] = await f.client.entries(after.exchanges[1]!.exchangeId)
    expect(summary?.detail).toContain('more refusals of unknown callers')
  })
})

describe('a metadata service', () => {
  it('is asked by GET and HEAD, and by nothing else', async () => {
    const f = await federation()
    const path = `/r1/${REGISTRY}/listMethods`
    const head = await f.call(path, { method: 'HEAD' })
    expect([head.status, head.body.length]).toEqual([200, 0])
    const send = (g: Federation) => g.call(path, { method: 'DELETE' })
    await expectRefusal(f, { name: '', send, code: 'request.malformed', by: 'provider' })
    await refused(f, `${path}/x`, 'request.malformed', 'provider')
  })

  it('gives a description whatever its servers are', async () => {
    const f = await federation()
    const info = { title: 'x', version: '1' }
    const description = {
      openapi: '3.1.0',
      info,
      paths: { '/': { get: { responses: { 200: { description: 'all' } } } } },
      servers: [{ url: '//h:{port}/b' }, { url: 'http://h:1/a' }],
    }
    await f.addService('described', { description })
    await f.settled()
    const { body } = await f.call(`/r1/${REGISTRY}/getOpenAPI?serviceCode=described`)
    expect(JSON.parse(body.toString('utf8'))).toMatchObject({
      servers: [{ url: '//h:{port}/b' }, { url: '/a' }],
    })
  })
})
