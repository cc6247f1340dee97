/** What the catalogue takes in of contracts, from whom, and what it refuses. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Contract, ContractStatement } from '../../protocol/contract.ts'
import { formatDocument, type SignedDocument } from '../../protocol/contract-jws.ts'
import { verifySnapshot } from '../../protocol/snapshot.ts'
import { createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { receiveWith, verifiedByPython } from '../service-catalogue/webhook-receiver.ts'
import { obtain } from '../support/certificates.ts'
import { DAY_MS, MINUTE_MS } from '../support/clock.ts'
import {
  addContractSteps,
  contractOf,
  signedContract,
  type ContractSignerOfTests,
} from '../support/contracts.ts'
import {
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { send } from '../support/http.ts'

const NOTICE_MS = 20 * MINUTE_MS
let f: Federation
let bank: ContractSignerOfTests
let registry: ContractSignerOfTests
beforeAll(async () => {
  const catalogue = { changeNoticeDays: NOTICE_MS / DAY_MS, webhooksToPrivateAddresses: true }
  f = await startFederation({ catalogue })
  await f.addService('people', { grant: null })
  await f.settled()
  bank = signerOf(f.client, `${INSTANCE}/COM/BANK`)
  registry = signerOf(f.provider, `${INSTANCE}/GOV/REG`)
})
afterAll(() => f[Symbol.asyncDispose]())

function signerOf({ signing }: TestGateway, member: string): ContractSignerOfTests {
  const { certificate, keys } = signing
  return { member, thumbprint: certificate.thumbprint, privateKey: keys.privateKey }
}

async function handIn(
  document: SignedDocument | string,
  by: { cert: string; key: string } | undefined = f.client.authentication,
): Promise<Record<string, unknown>> {
  const answer = await send({
    port: f.catalogue.port,
    method: 'POST',
    path: '/contracts',
    rawHeaders: ['Content-Type', 'application/jose+json'],
    body: typeof document === 'string' ? document : formatDocument(document),
    tls: { ca: f.ca, ...(by ? { cert: by.cert, key: by.key } : {}) },
  })
  const body = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>
  return { status: answer.status, ...body }
}
const say = (kind: ContractStatement['kind'], about: SignedDocument<Contract>) =>
  ({ version: 1, kind, contract: about.digest, reason: 'for a test' }) as const

describe('who hands in', () => {
  it('is a listed gateway, known by its certificate', async () => {
    const document = signedContract(contractOf(), bank)
    const tls = { ca: f.ca }
    const nobody = await send({ port: f.catalogue.port, path: '/contracts', tls })
    expect(JSON.parse(nobody.body.toString('utf8'))).toMatchObject({
      code: 'peer.certificate-missing',
    })
    const stranger = await obtain(f.authority.authority, {
      kind: 'authentication',
      identity: { instance: INSTANCE, memberClass: 'COM', member: 'BANK', gateway: 'BANK-9' },
    })
    expect(await handIn(document, stranger)).toMatchObject({
      code: 'peer.certificate-unregistered',
    })
  })
})

describe('a signature', () => {
  it.each<[string, () => SignedDocument | string, string]>([
    [
      'with another’s key',
      () => signedContract(contractOf(), { ...bank, privateKey: registry.privateKey }),
      'contract.signature-invalid',
    ],
    [
      'by a certificate of another member',
      () => signedContract(contractOf(), { ...bank, thumbprint: registry.thumbprint }),
      'contract.signer-unknown',
    ],
    [
      'by a member that is no party',
      () => signedContract(contractOf(), { ...bank, member: `${INSTANCE}/COM/SHOP` }),
      'contract.signer-unknown',
    ],
    [
      'of the provider for the client',
      () => signedContract(contractOf(), { ...registry, member: bank.member }),
      'contract.signer-unknown',
    ],
    [
      'of tomorrow',
      () => signedContract(contractOf(), { ...bank, signedAt: new Date(Date.now() + 86_400_000) }),
      'contract.signature-invalid',
    ],
    [
      'of before its certificate',
      () => signedContract(contractOf(), { ...bank, signedAt: new Date(0) }),
      'contract.signature-invalid',
    ],
    [
      'of what was altered since',
      () => ({
        ...signedContract(contractOf(), bank),
        payload: signedContract(contractOf(), bank).payload,
      }),
      'contract.signature-invalid',
    ],
    ['that is none', () => '{}', 'contract.malformed'],
  ])('%s is refused', async (_name, make, code) => {
    expect(await handIn(make())).toMatchObject({ code })
  })
})

describe('a document', () => {
  it('has one place, however often it comes, and a second signature another', async () => {
    const content = contractOf()
    const request = signedContract(content, bank)
    const first = await handIn(request)
    expect(first).toMatchObject({ status: 201 })
    const again = { status: 200, position: first.position }
    expect(await handIn(signedContract(content, bank))).toEqual(again)
    const answer = await handIn(signedContract(content, registry), f.provider.authentication)
    expect(answer).toMatchObject({ status: 201 })
    expect(await handIn(request)).toEqual({ status: 200, position: answer.position })
  })

  it('that does not fit the state is in conflict', async () => {
    const refused = async (document: SignedDocument): Promise<void> =>
      expect(await handIn(document)).toMatchObject({ status: 409, code: 'contract.conflict' })
    const request = signedContract(contractOf(), bank)
    await refused(signedContract(say('refusal', request), registry))
    await handIn(request)
    await refused(signedContract(say('revocation', request), bank))
    expect(await handIn(signedContract(say('refusal', request), bank))).toMatchObject({
      code: 'contract.signer-unknown',
    })
    const offer = { ...request.content, follows: request.digest }
    const id = (): { id: string } => ({ id: crypto.randomUUID() })
    expect(await handIn(signedContract({ ...offer, ...id() }, registry))).toMatchObject({
      status: 201,
    })
    await refused(signedContract({ ...offer, ...id() }, registry))
    await refused(signedContract(request.content, registry))
    await refused(signedContract(say('refusal', request), registry))

    const other = signedContract(contractOf(), bank, registry)
    await handIn(other)
    await refused(signedContract(say('refusal', other), registry))
    expect(await handIn(signedContract(say('revocation', other), bank))).toMatchObject({
      status: 201,
    })
    const once = await handIn(signedContract(say('revocation', other), registry))
    expect(once).toMatchObject({ status: 200 })
    const anew = { ...say('revocation', other), reason: 'once more' }
    await refused(signedContract(anew, registry))

    const third = signedContract(contractOf(), bank)
    await handIn(third)
    await handIn(signedContract(say('refusal', third), registry))
    await refused(signedContract(third.content, registry))
    await refused(signedContract({ ...third.content, ...id(), follows: third.digest }, registry))
  })

  it('is listed for the operator', async () => {
    const { documents } = await f.catalogueAdmin.call<{ documents: { signedBy: string[] }[] }>(
      'GET',
      '/admin/contracts',
    )
    expect(documents.length).toBeGreaterThan(5)
    expect(documents.every(({ signedBy }) => signedBy.length > 0)).toBe(true)
  })
})

it('a contract that comes once more after its revocation stays revoked', async () => {
  const steps = addContractSteps(f)
  const contract = signedContract(contractOf({ purposes: ['again'] }), bank, registry)
  await handIn(contract)
  await steps.agreed(contract.content.id)
  expect((await steps.call({ purpose: 'again' })).status).toBe(200)
  await handIn(signedContract(say('revocation', contract), registry))
  await steps.arrived(f.provider, contract.content.id, 'revoked')
  await steps.arrived(f.client, contract.content.id, 'revoked')
  expect(await handIn(contract)).toMatchObject({ status: 200 })
  await f.provider.restart()
  await f.client.restart()
  await steps.arrived(f.provider, contract.content.id, 'revoked')
  expect(await steps.refusal({ purpose: 'again' })).toMatchObject({
    code: expect.stringMatching(/^(contract|access)\./) as string,
  })
})

it('a breaking change reaches the member that has a contract, signed, and is not in force before its time', async () => {
  const people = '/admin/services/GOV/REG/POP/people'
  const owner = await administrator('service-owner', REGISTRY)
  const consumer = await administrator('member-admin', `${INSTANCE}/COM/BANK`)
  const put = (by: ApiClient, more: object, ...paths: string[]) =>
    by.call<{ version: string; planned?: { version: string; effectiveAt: string } }>(
      'PUT',
      people,
      { title: 'people', description: describing(...paths), ...more },
    )
  await f.addService('other', { grant: null })
  await put(owner, {}, '/one', '/two')
  await handIn(signedContract(contractOf({ purposes: ['notice'] }), bank, registry))
  await using receiver = await receiveWith(
    await obtain(f.authority.authority, {
      kind: 'server',
      identity: { instance: INSTANCE, memberClass: 'COM', member: 'BANK' },
    }),
  )
  const url = `https://127.0.0.1:${receiver.port}/changes`
  await consumer.call('POST', '/admin/webhooks', { url })

  await f.catalogueAdmin.call('PUT', '/admin/services/GOV/REG/POP/other', { title: 'Renamed' })
  await expect(put(owner, {}, '/one')).rejects.toMatchObject({ code: 'service.version-too-low' })
  const now = new Date(Date.now()).toISOString()
  for (const early of [{ effectiveAt: now }, { effectiveAt: now, reason: 'we are in a hurry' }]) {
    await expect(put(owner, { version: '2.0.0', ...early }, '/one')).rejects.toMatchObject({
      code: 'service.change-too-early',
    })
  }
  const { version, planned } = await put(owner, { version: '2.0.0' }, '/one')
  expect([version, planned?.version]).toEqual(['1.1.0', '2.0.0'])
  const told = await vi.waitFor(
    () => {
      expect(receiver.got).toHaveLength(1)
      return receiver.got[0]!
    },
    { timeout: 10_000 },
  )
  const jwks = await consumer.call<{ keys: { kid: string }[] }>('GET', '/jwks')
  const [head = '', claims = ''] = verifiedByPython(told, jwks.keys[0]!)
  expect(JSON.parse(head)).toMatchObject({ typ: 'spean-event+jwt', kid: jwks.keys[0]!.kid })
  expect(JSON.parse(claims)).toMatchObject({
    iss: INSTANCE,
    aud: url,
    event: {
      type: 'service.change-planned',
      service: `${REGISTRY}/people`,
      version: '2.0.0',
      data: { level: 'breaking', effectiveAt: planned?.effectiveAt },
    },
  })

  const shift = (ms: number): void =>
    Object.values(f.clocks).forEach((clock) => (clock.offsetMs += ms))
  shift(NOTICE_MS - MINUTE_MS)
  onTestFinished(() => shift(-Math.max(...Object.values(f.clocks).map((c) => c.offsetMs))))
  await new Promise((done) => setTimeout(done, 200)) // the catalogue looks each 50 ms
  expect(await publishedVersion()).toBe('1.1.0')
  expect(receiver.got).toHaveLength(1)
  shift(2 * MINUTE_MS)
  await vi.waitFor(async () => expect(await publishedVersion()).toBe('2.0.0'), { timeout: 10_000 })
  await vi.waitFor(() => expect(receiver.got).toHaveLength(2), { timeout: 10_000 })
  const [, effect = ''] = verifiedByPython(receiver.got[1]!, jwks.keys[0]!)
  expect(JSON.parse(effect)).toMatchObject({ event: { type: 'service.changed', version: '2.0.0' } })
  await f.settled()
  const answer = await f.call(`/r1/${REGISTRY}/getOpenAPI?serviceCode=people`)
  expect(answer.status, answer.body.toString('utf8')).toBe(200)
  const inForce = JSON.parse(answer.body.toString('utf8')) as { paths: object }
  expect(Object.keys(inForce.paths)).toEqual(['/one'])
})

async function administrator(role: string, scope: string): Promise<ApiClient> {
  const body = { name: role, role, scope: [scope], person: role }
  const { key } = await f.catalogueAdmin.call<{ key: string }>('POST', '/admin/keys', body)
  const client = createApiClient({ url: f.catalogue.url, token: key, ca: f.ca })
  onTestFinished(() => client[Symbol.asyncDispose]())
  return client
}

const describing = (...paths: string[]) => ({
  openapi: '3.1.0',
  info: { title: 'people', version: '1' },
  paths: Object.fromEntries(paths.map((path) => [path, { get: {} }])),
})

async function publishedVersion(): Promise<string | undefined> {
  const { body } = await send({ port: f.catalogue.port, path: '/snapshot', tls: { ca: f.ca } })
  const { members } = await verifySnapshot(body.toString('utf8'), f.catalogue.anchor())
  const services = members.flatMap((m) => m.subsystems).flatMap((s) => s.services)
  return services.find(({ code }) => code === 'people')?.version
}
