import { createServer as createHttpsServer } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen } from '../../runtime/lifecycle.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { DAY_MS } from '../support/clock.ts'
import { INSTANCE, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { freePort } from '../support/http.ts'
import { startGarbageServer } from '../support/register.ts'
import { expectRefusal, type Refusal } from '../support/refusals.ts'

let f: Federation
const open: AsyncDisposable[] = []
beforeAll(async () => {
  f = await startFederation()
  const garbage = await startGarbageServer()
  open.push(garbage)
  await f.addService('down', { url: `http://127.0.0.1:${await freePort()}/` })
  await f.addService('garbage', { url: `http://127.0.0.1:${garbage.port}/` })
  await f.addService('unconnected')
  await f.provider.admin.call('DELETE', '/admin/services/GOV/REG/POP/unconnected')
  await f.addService('patient', { timeoutMs: 300 })
  await f.settled()
})
afterAll(async () => {
  for (const resource of open) await resource[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

const call = (path: string) => (g: Federation) => g.call(`/r1/${REGISTRY}/${path}`)

const ROWS: Refusal[] = [
  { name: 'is down', send: call('down/x'), code: 'service.unreachable', by: 'service' },
  {
    name: 'speaks no HTTP',
    send: call('garbage/x'),
    code: 'service.answer-invalid',
    by: 'service',
  },
  {
    name: 'answers with a status that is none',
    send: call('echo/bad-status'),
    code: 'service.answer-invalid',
    by: 'service',
    calls: 1,
  },
  {
    name: 'answers with two lengths',
    send: call('echo/two-lengths'),
    code: 'service.answer-invalid',
    by: 'service',
    calls: 1,
  },
  {
    name: 'does not answer in time',
    send: call('patient/silent'),
    code: 'service.timeout',
    by: 'service',
    calls: 1,
  },
  {
    name: 'stops in the middle of its answer',
    send: call('echo/pause'),
    code: 'service.timeout',
    by: 'service',
    calls: 1,
  },
  {
    name: 'drops half way',
    send: call('echo/drop'),
    code: 'service.answer-incomplete',
    by: 'service',
    calls: 1,
  },
  {
    name: 'hangs up without an answer',
    send: call('echo/hangup'),
    code: 'service.answer-incomplete',
    by: 'service',
    calls: 1,
  },
  {
    name: 'answers more than its gateway takes',
    send: call('echo/large'),
    code: 'service.answer-too-large',
    by: 'service',
    calls: 1,
  },
  {
    name: 'answers with more headers than the protocol takes',
    send: call('echo/headers'),
    code: 'service.answer-invalid',
    by: 'service',
    calls: 1,
  },
  {
    name: 'has no address',
    send: call('unconnected/x'),
    code: 'service.not-connected',
    by: 'provider',
  },
]

describe('a service that', () => {
  it.each(ROWS)('$name: $code', (row) => expectRefusal(f, row))
})

describe('the certificate of an https service', () => {
  const serve = async (credentials: Credentials): Promise<string> => {
    const server = createHttpsServer(
      { cert: credentials.cert, key: credentials.key },
      (_, response) => {
        response.end('secure')
      },
    )
    const listening = await listen(server, 0)
    open.push(listening)
    return `https://127.0.0.1:${listening.port}/`
  }
  const identity = { instance: INSTANCE, memberClass: 'GOV', member: 'REG' }
  const order = { kind: 'server', identity } as const
  const refused = (service: string, code: Refusal['code']): Promise<void> =>
    expectRefusal(f, { name: code, send: call(service), code, by: 'provider' })

  it('is believed when an approved authority issued it', async () => {
    await f.addService('secure', { url: await serve(await obtain(f.authority.authority, order)) })
    await f.settled()
    expect((await f.call(`/r1/${REGISTRY}/secure`)).body.toString()).toBe('secure')
  })

  it('is refused when another authority issued it, and believed when that one is named', async () => {
    const foreign = await startFederation()
    open.push(foreign)
    const url = await serve(
      await obtain(foreign.authority.authority, {
        ...order,
        identity: { ...identity, instance: 'KH-TEST' },
      }),
    )
    await f.addService('foreign', { url })
    await f.settled()
    await refused('foreign', 'service.certificate-unknown')
    const { chain } = foreign.authority.authority
    await f.addService('foreign', { url, caCertificates: chain })
    expect((await f.call(`/r1/${REGISTRY}/foreign`)).body.toString()).toBe('secure')
  })

  it('is refused when it has expired', async () => {
    f.clocks.authority.offsetMs = -3 * DAY_MS
    const expired = await obtain(f.authority.authority, { ...order, validityDays: 1 })
    f.clocks.authority.offsetMs = 0
    await f.addService('expired', { url: await serve(expired) })
    await f.settled()
    await refused('expired', 'certificate.expired')
  })

  it('is refused when it is revoked', async () => {
    const revoked = await obtain(f.authority.authority, order)
    f.authority.authority.revoke(revoked.certificate.serial, 'keyCompromise')
    await f.addService('revoked', { url: await serve(revoked) })
    await f.settled()
    await refused('revoked', 'certificate.revoked')
  })
})
