/** Who is told of a call: systems of the client, administrators, gateways that are listed for it; and by which command. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExplainedCheck } from '../../protocol/explanation.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { HOUR_MS } from '../support/clock.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { send, type Answer, type Outgoing } from '../support/http.ts'

const ROOT = join(import.meta.dirname, '../..')
const TARGET = `/r1/${REGISTRY}/echo/x`
const PROBLEM = ['Accept', 'application/problem+json']
const GOOD = JSON.stringify({ method: 'GET', target: TARGET })

let f: Federation
let system: Credentials
beforeAll(async () => {
  f = await startFederation()
  const identity = { instance: INSTANCE, memberClass: 'COM', member: 'BANK', subsystem: 'KYC' }
  system = await obtain(f.authority.authority, { kind: 'information-system', identity })
  const certificate = system.certificate.pem
  await f.client.admin.call('POST', '/admin/information-systems', { client: BANK, certificate })
  writePrivateFile(join(f.dir, 'client.token'), f.client.running.adminToken)
  writeFileSync(join(f.dir, 'ca.pem'), f.ca)
  const url = `https://127.0.0.1:${f.client.running.ports.admin}`
  const gateways = { bank: { url, tokenFile: join(f.dir, 'client.token') } }
  const profile = { instance: INSTANCE, caFile: join(f.dir, 'ca.pem'), gateways }
  writeFileSync(join(f.dir, 'spean.json'), JSON.stringify(profile))
})
afterAll(() => f[Symbol.asyncDispose]())

interface Told {
  readonly code?: string
  readonly step?: string
  readonly verdict?: string
  readonly withheld?: string
  readonly snapshot?: number
  readonly checks?: readonly ExplainedCheck[]
}
const read = async (answer: Promise<Answer>): Promise<Told> =>
  JSON.parse((await answer).body.toString('utf8')) as Told

/** As an information system. */
const ask = (more: Partial<Outgoing> = {}): Promise<Told> =>
  read(
    send({
      ...{ port: f.client.httpPort, method: 'POST', path: '/explain', body: GOOD },
      rawHeaders: ['X-Road-Client', BANK, ...PROBLEM],
      ...more,
    }),
  )
const overTls = (shown: Credentials | undefined): Partial<Outgoing> => ({
  port: f.client.running.ports.https,
  tls: { ca: f.ca, ...(shown ? { cert: shown.cert, key: shown.key } : {}) },
})
/** As another gateway. */
const askPeer = (shown: Credentials | undefined, question: unknown = {}): Promise<Told> =>
  read(
    send({
      ...{ port: f.provider.running.ports.peers, method: 'POST', path: '/spean/v1/explain' },
      body: JSON.stringify({
        client: BANK,
        method: 'GET',
        target: TARGET,
        ...(question as object),
      }),
      tls: shown ? { cert: shown.cert, key: shown.key } : {},
    }),
  )
const explained = (body: object = {}): Promise<Told> =>
  f.client.admin.call('POST', '/admin/explain', {
    ...{ client: BANK, method: 'GET', target: TARGET },
    ...body,
  })
const lacking = ({ checks = [] }: Told): ExplainedCheck[] =>
  checks.filter(({ outcome }) => outcome === 'refuses')

describe('an information system', () => {
  it('is told by either port, with the certificate that a call needs', async () => {
    expect(await ask()).toMatchObject({ verdict: 'may' })
    const told = await ask(overTls(system))
    expect(told).toMatchObject({ verdict: 'may' })
    const shown = told.checks?.find(
      ({ check }) => check === 'certificate of the information system',
    )
    expect(shown?.outcome).toBe('passes')
  })

  it('that shows nothing, or another certificate, is told nothing', async () => {
    const refused = { step: 'identify-client' }
    expect(await ask(overTls(undefined))).toMatchObject({ code: 'client.certificate-missing' })
    const other = await ask(overTls(f.provider.authentication))
    expect(other).toMatchObject({ code: 'client.certificate-unregistered', ...refused })
    expect(other.checks).toBeUndefined()
  })

  it.each<[string, Partial<Outgoing>, string]>([
    ['without a client', { rawHeaders: PROBLEM }, 'request.client-missing'],
    [
      'as nobody',
      { rawHeaders: ['X-Road-Client', `${INSTANCE}/COM/BANK/X`, ...PROBLEM] },
      'client.unknown',
    ],
    ['by GET', { method: 'GET' }, 'request.method-unsupported'],
    ['with no JSON', { body: '{' }, 'request.malformed'],
    ['with a list', { body: '[]' }, 'request.malformed'],
    ['with too much', { body: ' '.repeat(70_000) }, 'request.body-too-large'],
    ['about another client', { body: '{"client":"A/B/C"}' }, 'request.malformed'],
    [
      'with a member that is unknown',
      { body: `{"purposes":1,${GOOD.slice(1)}` },
      'request.malformed',
    ],
    [
      'with a gateway that is a number',
      { body: `{"securityServer":1,${GOOD.slice(1)}` },
      'request.malformed',
    ],
    [
      'with a flag that is none',
      { body: `{"withProvider":1,${GOOD.slice(1)}` },
      'request.malformed',
    ],
  ])('that asks %s is refused by a code', async (_name, more, code) => {
    expect(await ask(more)).toMatchObject({ code })
  })
})

describe('another gateway', () => {
  it('is told its part, and no address of the service', async () => {
    const told = await askPeer(f.client.authentication)
    expect(lacking(told)).toEqual([])
    expect(new Set(told.checks?.map(({ side }) => side))).toEqual(new Set(['provider']))
    expect(JSON.stringify(told)).not.toContain(`${f.register.port}`)
  })

  it('that is nobody, or speaks for others, is told nothing', async () => {
    expect(await askPeer(undefined)).toMatchObject({ code: 'peer.certificate-missing' })
    const stranger = await askPeer(system)
    expect(stranger).toMatchObject({ code: 'certificate.untrusted', step: 'authenticate-peer' })
    const other = await askPeer(f.client.authentication, { client: REGISTRY })
    expect(other).toMatchObject({ code: 'peer.client-mismatch', step: 'verify-signature' })
    const more = await askPeer(f.client.authentication, { more: 1 })
    expect(more).toMatchObject({ code: 'request.malformed' })
  })

  it('that asks on and on is told to come back', async () => {
    const client = `${INSTANCE}/COM/BANK/NOGRANT`
    const withheld = new Set<unknown>()
    // The budget fills again meanwhile, so that it takes as many as it takes.
    for (let round = 0; round < 40 && !withheld.has('too-often'); round += 1) {
      const asked = Array.from({ length: 25 }, () => askPeer(f.client.authentication, { client }))
      for (const told of await Promise.all(asked)) withheld.add(told.withheld)
    }
    expect(withheld).toEqual(new Set([undefined, 'too-often']))
    expect(await askPeer(f.client.authentication)).toMatchObject({ snapshot: expect.any(Number) })
  })
})

describe('an administrator', () => {
  it('may leave the provider out, and then is promised nothing', async () => {
    const told = await explained({ withProvider: false })
    expect(told.verdict).toBe('unknown')
    expect(told.checks?.every(({ side }) => side === 'client')).toBe(true)
  })

  it('is refused what is no question', async () => {
    await expect(explained({ bodySize: 'x' })).rejects.toMatchObject({ code: 'admin.invalid' })
  })

  it('is told by the command, which says by its exit code whether', async () => {
    const may = await spean('GET', TARGET)
    expect(may.code).toBe(0)
    expect(may.out).toContain('✓ grant for client, method and path')
    expect(may.out).toContain('The call may be made now.')
    const not = await spean('GET', `/r1/${REGISTRY}/nothing`)
    expect(not.code).toBe(1)
    expect(not.out).toContain('✗ service is registered: service.unknown')
    expect(not.out).toContain('to act: the client')
    const json = await spean('GET', TARGET, '--json', '--no-provider')
    expect(json.code).toBe(0)
    const elsewhere = await spean('GET', TARGET, '--security-server', 'COM/BANK/BANK-1')
    expect(elsewhere.out).toContain('✗ provider has a gateway: provider.no-gateway')
    expect(JSON.parse(json.out)).toMatchObject({ verdict: 'unknown' })
    expect((await spean('GET', TARGET, '--size', 'x')).code).toBe(2)
  })
})

/** What is wrong with gateways; the code of the check is what a call is told. */
describe('what is wrong with gateways', () => {
  const truth = async (code: string): Promise<Told> => {
    const told = await explained()
    const call = await read(f.call(TARGET, { rawHeaders: ['X-Road-Client', BANK, ...PROBLEM] }))
    expect([lacking(told)[0]?.code, call.code]).toEqual([code, code])
    expect(lacking(told)[0]?.step).toBe(call.step)
    return told
  }

  it.each(['client', 'provider'] as const)('is told of a clock: of the %s', async (side) => {
    f.clocks[side].offsetMs = -HOUR_MS
    const within = { timeout: 15_000, interval: 100 }
    const codes = async (): Promise<unknown[]> => lacking(await explained()).map(({ code }) => code)
    await f.catalogueAdmin.call('PUT', apiPath('/admin/groups', side), { title: 'x', members: [] })
    await expect.poll(codes, within).toContain('gateway.clock-off')
    await truth('gateway.clock-off')
    f.clocks[side].offsetMs = 0
    await f.catalogueAdmin.call('PUT', apiPath('/admin/groups', side), { title: 'y', members: [] })
    await expect.poll(codes, within).toEqual([])
  })

  it('is told of a signing certificate that is not listed any more', async () => {
    const { thumbprint, pem: certificate } = f.client.signing.certificate
    const path = apiPath('/admin/members', 'COM', 'BANK', 'certificates')
    await f.catalogueAdmin.call('DELETE', `${path}/${thumbprint}`)
    await f.settled()
    await truth('gateway.certificate-inactive')
    await f.catalogueAdmin.call('POST', path, { certificate })
    await f.settled()
    expect(lacking(await explained())).toEqual([])
  })

  it('is told of a service that is retired', async () => {
    await f.addService('old')
    const path = apiPath('/admin/services', 'GOV', 'REG', 'POP', 'old', 'retire')
    await f.catalogueAdmin.call('POST', path, { reason: 'closed' })
    await f.settled()
    const target = `/r1/${REGISTRY}/old`
    const call = await read(f.call(target, { rawHeaders: ['X-Road-Client', BANK, ...PROBLEM] }))
    const [first] = lacking(await explained({ target }))
    expect([first?.code, call.code]).toEqual(['service.retired', 'service.retired'])
  })

  it('is told when the gateway of the provider explains nothing, or is not there', async () => {
    await f.provider.restart({ explain: 'off' })
    expect(await askPeer(f.client.authentication)).toEqual({ withheld: 'off' })
    const off = await explained()
    expect(off.verdict).toBe('unknown')
    const why = off.checks?.find(({ detail = '' }) => detail.includes('explains nothing'))
    expect(why).toMatchObject({ step: 'send-to-provider', outcome: 'not-judged' })
    await f.provider.running[Symbol.asyncDispose]()
    await truth('provider.unreachable')
    await f.provider.restart({ explain: 'peers' })
    expect(await explained()).toMatchObject({ verdict: 'may' })
  })
})

function spean(...args: string[]): Promise<{ code: number; out: string }> {
  const command = [join(ROOT, 'cli/main.ts'), '--profile', join(f.dir, 'spean.json'), 'explain']
  return new Promise((resolve) => {
    execFile(process.execPath, [...command, 'COM/BANK/KYC', ...args], (error, out) =>
      resolve({ code: error ? Number(error.code) : 0, out }),
    )
  })
}
