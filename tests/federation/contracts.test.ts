/** Contracts between running gateways: asked for, narrowed, signed by both, enforced clause by clause, revoked. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiPath } from '../../runtime/api-client.ts'
import { startIdentityProvider } from '../service-catalogue/identity-provider-support.ts'
import { obtain } from '../support/certificates.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { sendToPeer } from '../support/peer.ts'
import { addContractSteps, type ContractSteps } from '../support/contracts.ts'

const HEADERS = [
  ...['X-Road-Client', BANK, 'Spean-Purpose', 'kyc'],
  ...['Accept', 'application/problem+json'],
]
/** What every program of the federation has written. */
const filesBelow = (dir: string): Buffer[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))

/** Every line of the programs' logs, without any redaction. */
const logged: string[] = []
let f: Federation
let steps: ContractSteps
beforeAll(async () => {
  const write = (line: string): void => void logged.push(line)
  f = await startFederation({ logger: pino({ level: 'trace' }, { write }) })
  await f.addService('people', { grant: null })
  await f.addService('other', { grant: null })
  await f.settled()
  steps = addContractSteps(f)
})
afterAll(() => f[Symbol.asyncDispose]())

it('a request that is narrowed is signed by the client’s gateway alone, and its clauses hold', async () => {
  const { ask, refusal, agreed } = steps
  const request = await ask({ purposes: ['kyc', 'marketing'], quota: { perDay: 100 } })
  await steps.arrived(f.provider, request.id, 'requested')
  const narrowed = await f.provider.admin.call<{ id: string }>(
    'POST',
    apiPath('/admin/contracts', request.id, 'narrow'),
    { purposes: ['kyc'], quota: { perDay: 6 }, reason: 'six are enough' },
  )
  const { id, digest } = await agreed(narrowed.id)
  await steps.arrived(f.client, request.id, 'answered')

  for (let call = 1; call <= 6; call += 1) {
    const answer = await steps.call()
    expect(answer.status, answer.body.toString('utf8')).toBe(200)
    const [request] = await f.provider.entries(String(answer.headers['x-road-request-id']))
    const manifest = String(request?.manifest).split('.')[1]!
    expect(Buffer.from(manifest, 'base64url').toString('utf8')).toContain(`"contract":"${digest}"`)
  }
  const otherPurpose = await refusal({ purpose: 'marketing' })
  expect(otherPurpose).toMatchObject({ code: 'access.purpose-denied' })
  expect(otherPurpose.detail).toContain(id)
  expect(otherPurpose.detail).toContain('purposes are kyc, not marketing')
  expect(await refusal({ purpose: undefined })).toMatchObject({ code: 'access.purpose-missing' })
  expect(await refusal({ path: '/elsewhere' })).toMatchObject({ code: 'access.denied' })
  const seventh = await refusal()
  expect(seventh).toMatchObject({ code: 'access.quota-exceeded', status: 429 })
  expect(seventh.detail).toContain(`contract ${id} (${digest}) allows 6 calls in a day of UTC`)
})

it('a call after revocation is refused within two seconds, by contract and reason, on both sides', async () => {
  const { ask, agreed, approve, refusal } = steps
  const { id } = await ask({ purposes: [] })
  await steps.arrived(f.provider, id, 'requested')
  await approve(id)
  await agreed(id)
  expect((await steps.call({ purpose: undefined })).status).toBe(200)
  await f.provider.admin.call('POST', apiPath('/admin/contracts', id, 'revoke'), {
    reason: 'complaint 12',
  })
  const revokedAt = performance.now()
  const first = await refusal({ purpose: undefined })
  expect(first.code).toMatch(/^(contract.revoked|access.)/)
  await steps.arrived(f.client, id, 'revoked')
  expect(performance.now() - revokedAt).toBeLessThan(2000)
})

it('the client can end it too, and the provider’s gateway follows', async () => {
  const { id } = await steps.inForce({ service: `${REGISTRY}/other` })
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  const path = apiPath('/admin/contracts', id, 'revoke')
  await f.client.admin.call('POST', path, { reason: 'the project has ended' })
  await steps.arrived(f.provider, id, 'revoked')
  expect(await steps.refusal({ service: 'other' })).toMatchObject({ code: 'contract.revoked' })
})

it('a body longer than the contract allows is not sent', async () => {
  const endpoints = [{ method: 'POST', path: '/one' }]
  const { id } = await steps.inForce({ endpoints, maxBodyBytes: 10 })
  const post = (body: string) =>
    f.call(`/r1/${REGISTRY}/people/one`, { method: 'POST', body, rawHeaders: HEADERS })
  expect((await post('0123456789')).status).toBe(200)
  const { status, body } = await post('0123456789a')
  expect(status).toBe(413)
  expect(JSON.parse(body.toString('utf8'))).toMatchObject({
    code: 'request.body-too-large',
    detail: expect.stringMatching(`${id}.*maxBodyBytes is 10, the body has 11 bytes`) as string,
  })
})

it('a call right after the client has signed passes, before the provider’s gateway was told', async () => {
  for (let n = 0; n < 5; n += 1) {
    const { id } = await f.provider.admin.call<{ id: string }>('POST', '/admin/contracts', {
      ...{ client: BANK, service: `${REGISTRY}/people`, purposes: [`race-${n}`] },
      ...{ endpoints: [{ method: 'GET', path: '/one' }], validUntil: '2999-01-01T00:00:00Z' },
      reason: 'an offer',
    })
    await steps.arrived(f.client, id, 'offered')
    await f.client.admin.call('POST', apiPath('/admin/contracts', id, 'approve'), {})
    const path = apiPath('/admin/contracts', id)
    const isHandedIn = async (): Promise<boolean> =>
      (await f.client.admin.call<{ handedIn: boolean }>('GET', path)).handedIn
    while (!(await isHandedIn()));
    const { status, body } = await steps.call({ purpose: `race-${n}` })
    expect(status, body.toString('utf8')).toBe(200)
  }
})

it('a contract for a group, signed by the provider alone, holds for whoever is in it, as long as they are', async () => {
  const listed = async (...members: string[]): Promise<void> => {
    await f.catalogueAdmin.call('PUT', '/admin/groups/banks', { title: 'Banks', members })
    await f.settled()
  }
  await f.addService('rates', { grant: null })
  await listed(BANK)
  const { id } = await f.provider.admin.call<{ id: string }>('POST', '/admin/contracts', {
    client: 'group:banks',
    service: `${REGISTRY}/rates`,
    endpoints: [{ method: 'GET', path: '/one' }],
    validUntil: '2999-01-01T00:00:00Z',
    reason: 'every bank may see the rates',
  })
  await steps.arrived(f.client, id, 'in-force')
  await steps.arrived(f.provider, id, 'in-force')
  const answer = await steps.call({ service: 'rates' })
  expect(answer.status, answer.body.toString('utf8')).toBe(200)
  const [sent] = await f.client.entries(String(answer.headers['x-road-request-id']))
  const manifest = String(sent?.manifest).split('.')[1]!
  const { digest } = await steps.arrived(f.client, id, 'in-force')
  expect(Buffer.from(manifest, 'base64url').toString('utf8')).toContain(`"contract":"${digest}"`)
  // A gateway that names it, whether or not its client is in the group.
  const target = `/r1/${REGISTRY}/rates/one`
  const claim = { ...{ service: `${REGISTRY}/rates`, target, method: 'GET' }, contract: digest }
  expect((await sendToPeer(f, { manifest: claim })).status).toBe(200)
  await listed(`${BANK.slice(0, BANK.lastIndexOf('/'))}/NOGRANT`)
  const named = (await sendToPeer(f, { manifest: claim })).body.toString('utf8')
  expect(JSON.parse(named)).toMatchObject({ code: 'contract.unknown', step: 'authorise' })
  expect(named).not.toContain('banks')
  expect(await steps.refusal({ service: 'rates' })).toMatchObject({ code: 'access.denied' })
  const question = { client: BANK, method: 'GET', target }
  const path = '/admin/explain'
  const explained = await f.client.admin.call<{
    readonly checks: readonly { readonly side: string; readonly code?: string }[]
  }>('POST', path, { ...question, contract: digest })
  const refusals = explained.checks.flatMap(({ side, code }) => (code ? [[side, code]] : []))
  expect(refusals).toEqual(['client', 'provider'].map((side) => [side, 'contract.unknown']))
  await listed(BANK)
  expect((await steps.call({ service: 'rates' })).status).toBe(200)
})

it('a contract that asks for the token of a user takes those of a real identity provider, and keeps none', async () => {
  const service = `${REGISTRY}/people`
  await using idp = await startIdentityProvider(
    { 'sok.dara': {} },
    {
      audience: service,
      tls: await obtain(f.authority.authority, {
        kind: 'server',
        identity: { instance: INSTANCE, memberClass: 'COM', member: 'BANK' },
      }),
    },
  )
  await f.provider.admin.call('PUT', '/admin/identity-providers', {
    member: `${INSTANCE}/COM/BANK`,
    issuer: idp.issuer,
    jwksUrl: `${idp.issuer}/jwks`,
    caCertificates: f.ca,
  })
  const { id } = await steps.inForce({ purposes: ['token'], user: 'token' })
  const ask = (token?: string) =>
    f.call(`/r1/${service}/one`, {
      rawHeaders: [
        ...['X-Road-Client', BANK, 'Accept', 'application/problem+json'],
        ...['Spean-Purpose', 'token', 'X-Road-UserId', 'sok.dara'],
        ...(token === undefined ? [] : ['Spean-User-Token', token]),
      ],
    })
  const code = async (token?: string): Promise<unknown> =>
    (JSON.parse((await ask(token)).body.toString('utf8')) as { code: unknown }).code
  const token = await idp.token('sok.dara')
  const answer = await ask(token)
  expect(answer.status, answer.body.toString('utf8')).toBe(200)
  expect(answer.body.toString('utf8')).not.toContain(token)

  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: idp.issuer, aud: service, sub: 'sok.dara', exp: now + 60 }
  const made = (more: object, key: CryptoKey = idp.key, kid = 'k1'): Promise<string> =>
    new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
  const { privateKey: other } = await generateKeyPair('ES256')
  const faults = {
    none: new UnsecuredJWT(claims).encode(),
    audience: await made({ aud: `${REGISTRY}/other` }),
    expired: await made({ exp: now - 60 }),
    'unknown key': await made({}, other, 'k9'),
    'a stranger’s signature': await made({}, other),
    'another user': await made({ sub: 'chan.thida' }),
  }
  for (const [name, faulty] of Object.entries(faults)) {
    expect([name, await code(faulty)]).toEqual([name, 'access.token-invalid'])
  }
  expect(await code()).toBe('access.token-missing')
  const entries = await f.provider.entries(String(answer.headers['x-road-request-id']))
  expect(entries.length).toBeGreaterThan(0)

  const lines = Buffer.from(logged.join(''))
  expect(lines.includes('access.token-invalid')).toBe(true)
  const kept = [...filesBelow(f.dir), lines]
  const isKept = (text: string): boolean => kept.some((bytes) => bytes.includes(text))
  expect(isKept(id)).toBe(true)
  const records = kept.filter((bytes) => bytes.includes('X-Road-UserId'))
  expect(records.length).toBeGreaterThan(0)
  for (const each of [token, ...Object.values(faults)]) {
    // Its claims and its signature, by themselves as well
    for (const part of each.split('.').slice(1).filter(Boolean)) expect(isKept(part)).toBe(false)
  }
})

it('outlives restarts, and a catalogue that is gone', async () => {
  const { id } = await steps.inForce({ service: `${REGISTRY}/other` })
  await f.provider.restart()
  await f.client.restart()
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  await f.catalogue[Symbol.asyncDispose]()
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  const path = apiPath('/admin/contracts', id, 'revoke')
  await f.provider.admin.call('POST', path, { reason: 'without the catalogue' })
  const { code, detail } = await steps.refusal({ service: 'other' })
  expect(code).toBe('contract.revoked')
  expect(detail).toContain(id)
  expect(detail).toContain('without the catalogue')
  await f.provider.restart()
  expect(await steps.refusal({ service: 'other' })).toMatchObject({ code: 'contract.revoked' })
})

it('names clauses that an answer would widen, and who is to act', async () => {
  const { id } = await steps.ask({ service: `${REGISTRY}/people` })
  const asked = (verb: string, body: object) =>
    f.client.admin.call('POST', apiPath('/admin/contracts', id, verb), body)
  await expect(asked('approve', {})).rejects.toMatchObject({ code: 'contract.conflict' })
  await expect(asked('refuse', { reason: 'no' })).rejects.toMatchObject({
    code: 'contract.conflict',
  })
  await expect(steps.ask({ client: `${BANK}X` })).rejects.toMatchObject({ code: 'admin.invalid' })
  await expect(steps.ask({ validUntil: 'tomorrow' })).rejects.toThrow(/validUntil/)
})
