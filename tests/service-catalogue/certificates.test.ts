import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import {
  createAuthority,
  INSTANCE,
  readAnchor,
  startTestCatalogue,
  type Answer,
  type Running,
  type TestAuthority,
} from './support.ts'

const DAY_MS = 24 * 3_600_000
const MOI = { instance: INSTANCE, memberClass: 'GOV', member: 'MOI' }
const GATEWAY = { ...MOI, gateway: 'GW1' }
const MEMBER = '/admin/members/GOV/MOI'
const GATEWAY_PATH = '/admin/gateways/GOV/MOI/GW1'

let running: Running
let authority: TestAuthority
beforeAll(async () => {
  running = await startTestCatalogue()
  authority = running.authority
  const { call } = running
  await call('PUT', '/admin/authorities/Test', { body: { certificates: authority.pems } })
  await call('PUT', MEMBER, { body: { name: 'Interior' } })
  await call('PUT', GATEWAY_PATH, { body: { address: 'https://gw:5500', clients: [] } })
})
afterAll(() => running[Symbol.asyncDispose]())

const post = (path: string, certificate: Certificate | string): Promise<Answer> =>
  running.call('POST', `${path}/certificates`, {
    body: { certificate: typeof certificate === 'string' ? certificate : certificate.pem },
  })
const code = ({ body }: Answer): unknown => body.code

describe('certificates', () => {
  it('of a member are registered, published and removed', async () => {
    const certificate = await authority.issue('signing', MOI)
    const added = await post(MEMBER, certificate)
    expect(added.status).toBe(201)
    expect(added.body).toMatchObject({
      thumbprint: certificate.thumbprint,
      notAfter: certificate.notAfter.toISOString(),
      pem: certificate.pem,
    })
    expect((await post(MEMBER, certificate)).status).toBe(200)
    const { members } = await running.snapshot()
    expect(members[0]?.signingCertificates).toEqual([certificate.der.toString('base64')])
    const path = `${MEMBER}/certificates/${certificate.thumbprint}`
    expect((await running.call('DELETE', path)).status).toBe(204)
    expect(code(await running.call('DELETE', path))).toBe('admin.not-found')
    expect((await running.snapshot()).members[0]?.signingCertificates).toEqual([])
  })

  it('of a gateway are registered and published, several for a renewal with overlap', async () => {
    const certificates = [
      await authority.issue('authentication', GATEWAY),
      await authority.issue('authentication', GATEWAY),
    ]
    for (const certificate of certificates) {
      expect((await post(GATEWAY_PATH, certificate)).status).toBe(201)
    }
    const { gateways } = await running.snapshot()
    const ders = certificates.map(({ der }) => der.toString('base64'))
    expect(gateways[0]?.certificates.toSorted()).toEqual(ders.toSorted())
  })

  it('cannot be removed through another owner', async () => {
    const certificate = await authority.issue('signing', MOI)
    await post(MEMBER, certificate)
    const path = `${GATEWAY_PATH}/certificates/${certificate.thumbprint}`
    expect(code(await running.call('DELETE', path))).toBe('admin.not-found')
  })

  it.each([
    ['another member', { ...MOI, member: 'MOC' }],
    ['another class', { ...MOI, memberClass: 'COM' }],
    ['another instance', { ...MOI, instance: 'EE' }],
    ['a gateway of the member', GATEWAY],
    ['a subsystem of the member', { ...MOI, subsystem: 'S' }],
  ])('that name %s are refused for a member', async (_, identity) => {
    expect(code(await post(MEMBER, await authority.issue('signing', identity)))).toBe(
      'admin.invalid',
    )
  })

  it.each([
    ['another gateway', { ...MOI, gateway: 'GW2' }],
    ['a gateway of another member', { ...GATEWAY, member: 'MOC' }],
    ['the member itself', MOI],
  ])('that name %s are refused for a gateway', async (_, identity) => {
    const certificate = await authority.issue('authentication', identity)
    expect(code(await post(GATEWAY_PATH, certificate))).toBe('admin.invalid')
  })

  it('of an authority that is not approved are refused, also under the same name', async () => {
    const impostor = await createAuthority()
    const certificate = await impostor.issue('signing', MOI)
    expect(code(await post(MEMBER, certificate))).toBe('certificate.untrusted')
  })

  it('that have expired, or are not valid yet, are refused', async () => {
    const now = running.clock.now.getTime()
    const at = new Date(now - 10 * DAY_MS)
    const expired = await authority.issue('signing', MOI, { at, validityDays: 9 })
    expect(code(await post(MEMBER, expired))).toBe('certificate.expired')
    const early = await authority.issue('signing', MOI, { at: new Date(now + DAY_MS) })
    expect(code(await post(MEMBER, early))).toBe('certificate.not-yet-valid')
  })

  it('for another purpose are refused', async () => {
    const tls = await authority.issue('authentication', MOI)
    expect(code(await post(MEMBER, tls))).toBe('certificate.untrusted')
    const seal = await authority.issue('signing', GATEWAY)
    expect(code(await post(GATEWAY_PATH, seal))).toBe('certificate.untrusted')
    expect(code(await post(MEMBER, authority.issuing.certificate))).toBe('certificate.untrusted')
  })

  it.each([
    ['no PEM', 'hello'],
    ['PEM around something else', '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'],
  ])('with %s are refused', async (_, text) => {
    expect(code(await post(MEMBER, text))).toBe('admin.invalid')
  })

  it('that come two at a time are refused', async () => {
    const { pem } = await authority.issue('signing', MOI)
    expect(code(await post(MEMBER, pem + pem))).toBe('admin.invalid')
  })

  it('of an unknown owner are refused', async () => {
    const certificate = await authority.issue('signing', { ...MOI, member: 'NONE' })
    expect(code(await post('/admin/members/GOV/NONE', certificate))).toBe('admin.not-found')
  })

  it('that end within a month are listed in the status', async () => {
    const certificate = await authority.issue('signing', MOI, { validityDays: 29 })
    await post(MEMBER, certificate)
    const { body } = await running.call('GET', '/admin/status')
    expect(body.expiringCertificates).toMatchObject([
      { owner: 'member KH-DEV/GOV/MOI', purpose: 'signing', thumbprint: certificate.thumbprint },
    ])
  })
})

describe('authorities', () => {
  const put = (name: string, certificates: string[]): Promise<Answer> =>
    running.call('PUT', `/admin/authorities/${name}`, { body: { certificates } })

  it('are published root first, and their roots stand in the anchor file at once', async () => {
    const other = await createAuthority('Other')
    const { status, body } = await put('Other', other.pems)
    expect([status, body.certificates]).toEqual([201, other.pems])
    const { authorities } = await running.snapshot()
    expect(authorities.map(({ name }) => name)).toEqual(['Other', 'Test'])
    expect(authorities[0]?.certificates).toEqual(
      [other.root, other.issuing].map(({ certificate }) => certificate.der.toString('base64')),
    )
    const { pem } = other.root.certificate
    const roots = (): string[] => readAnchor(running.catalogue.anchorFile).rootCertificates
    expect(roots()).toEqual([authority.root.certificate.pem, pem])
    expect((await running.call('DELETE', '/admin/authorities/Other')).status).toBe(204)
    expect(roots()).toEqual([authority.root.certificate.pem])
    expect(code(await running.call('DELETE', '/admin/authorities/Other'))).toBe('admin.not-found')
  })

  it('are not removed, and not cut short, while registered certificates lead to them', async () => {
    expect(code(await running.call('DELETE', '/admin/authorities/Test'))).toBe('admin.conflict')
    expect(code(await put('Test', authority.pems.slice(0, 1)))).toBe('admin.conflict')
    const list = await running.call('GET', '/admin/authorities')
    expect(list.body.authorities).toMatchObject([{ name: 'Test', certificates: authority.pems }])
  })

  it('are refused when the chain is not one of authorities, root first', async () => {
    const other = await createAuthority('Other')
    const leaf = await other.issue('signing', MOI)
    const [root, issuing] = other.pems as [string, string]
    for (const chain of [
      [],
      [issuing],
      [issuing, root],
      [root, authority.pems[1]!],
      [root, leaf.pem],
    ]) {
      expect(code(await put('Bad', chain))).toBe('admin.invalid')
    }
    const old = await createAuthority('Old', new Date('1990-01-01'))
    expect(code(await put('Bad', old.pems))).toBe('certificate.expired')
  })
})
