import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import { encodeName } from '../../pki/distinguished-name.ts'
import { issueCertificate, type Issuer } from '../../pki/issue.ts'
import { generateKey } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import type { SubjectProfile } from '../../protocol/snapshot.ts'
import { createAuthority, startTestCatalogue, type Answer, type Running } from './support.ts'
import type { TestAuthority } from './support.ts'

const MEMBER = '/admin/members/GOV/123456'
const GATEWAY = '/admin/gateways/GOV/123456/GW1'
const ORGANIZATION_ID = '2.5.4.97'

/** As a national authority writes it: register number, gateway beside it, everything else for people. */
const NATIONAL: SubjectProfile = {
  instance: { value: 'KH-DEV' },
  memberClass: { attribute: OID.organizationalUnitName, prefix: 'Class ' },
  member: { attribute: ORGANIZATION_ID, prefix: 'NTRKH-' },
  gateway: { attribute: OID.serialNumber, separator: '/', index: 1, pieces: 2 },
}
const NAMES_NO_GATEWAY: SubjectProfile = {
  instance: { value: 'KH-DEV' },
  memberClass: { value: 'GOV' },
  member: { attribute: ORGANIZATION_ID, prefix: 'NTRKH-' },
}

let running: Running
let own: TestAuthority
let national: TestAuthority
beforeAll(async () => {
  running = await startTestCatalogue()
  own = running.authority
  national = await createAuthority('National')
  await running.call('PUT', MEMBER, { body: { name: 'Interior' } })
  await running.call('PUT', GATEWAY, { body: { address: 'https://gw:5500', clients: [] } })
})
afterAll(() => running[Symbol.asyncDispose]())

const put = (name: string, body: object): Promise<Answer> =>
  running.call('PUT', `/admin/authorities/${name}`, { body })
const approve = (subjectProfile?: unknown, rest: object = {}): Promise<Answer> =>
  put('National', {
    certificates: national.pems,
    ...(subjectProfile ? { subjectProfile } : {}),
    ...rest,
  })
const post = (path: string, { pem }: Certificate): Promise<Answer> =>
  running.call('POST', `${path}/certificates`, { body: { certificate: pem } })
const remove = (path: string, { thumbprint }: Certificate): Promise<Answer> =>
  running.call('DELETE', `${path}/certificates/${thumbprint}`)

async function issue(
  attributes: Record<string, string>,
  profile: 'signing' | 'authentication' = 'signing',
  issuer: Issuer = national.issuing,
): Promise<Certificate> {
  const { publicKey } = await generateKey('P-256')
  const subject = encodeName(Object.entries(attributes).map(([type, value]) => ({ type, value })))
  return issueCertificate({ profile, subject, publicKey, issuer, at: new Date() })
}
const MOI = {
  [OID.organizationName]: 'ក្រសួងមហាផ្ទៃ',
  [OID.organizationalUnitName]: 'Class GOV',
  [ORGANIZATION_ID]: 'NTRKH-123456',
}
const GW1 = { ...MOI, [OID.serialNumber]: 'MOI/GW1' }

describe('an authority with a subject profile', () => {
  it('is published with it, and with what it says of nonces', async () => {
    const { status, body } = await approve(NATIONAL, { ocspNonce: 'optional' })
    expect([status, body.subjectProfile, body.ocspNonce]).toEqual([201, NATIONAL, 'optional'])
    const { authorities } = await running.snapshot()
    expect(authorities).toMatchObject([
      { name: 'National', subjectProfile: NATIONAL, ocspNonce: 'optional' },
    ])
    expect((await running.call('GET', '/admin/authorities/National')).body).toEqual(body)
    expect((await running.call('GET', '/admin/authorities/None')).body.code).toBe('admin.not-found')
  })

  it('is published without them when it has none', async () => {
    await put('Own', { certificates: own.pems })
    const { authorities } = await running.snapshot()
    expect(Object.keys(authorities.find(({ name }) => name === 'Own')!).toSorted()).toEqual([
      'certificates',
      'name',
    ])
  })

  it('vouches for members and gateways by its own profile, beside our own authority', async () => {
    await approve(NATIONAL)
    const signing = await issue(MOI)
    const authentication = await issue(GW1, 'authentication')
    const ours = await own.issue('signing', {
      instance: 'KH-DEV',
      memberClass: 'GOV',
      member: '123456',
    })
    expect((await post(MEMBER, signing)).status).toBe(201)
    expect((await post(GATEWAY, authentication)).status).toBe(201)
    expect((await post(MEMBER, ours)).status).toBe(201)
    for (const certificate of [signing, ours]) await remove(MEMBER, certificate)
    await remove(GATEWAY, authentication)
  })

  it('may name the gateway in a certificate of the member', async () => {
    await approve(NATIONAL)
    const signing = await issue(GW1)
    expect((await post(MEMBER, signing)).status).toBe(201)
    await remove(MEMBER, signing)
  })

  it('that names no gateways leaves it to the catalogue which one it is', async () => {
    await approve(NAMES_NO_GATEWAY)
    const authentication = await issue(MOI, 'authentication')
    expect((await post(GATEWAY, authentication)).status).toBe(201)
    await remove(GATEWAY, authentication)
    const other = await issue({ ...MOI, [ORGANIZATION_ID]: 'NTRKH-999' }, 'authentication')
    expect((await post(GATEWAY, other)).body.code).toBe('admin.invalid')
  })

  it.each([
    ['no register number', { [OID.organizationalUnitName]: 'Class GOV' }, /National: member: /],
    ['another register', { ...MOI, [ORGANIZATION_ID]: 'VATKH-123456' }, /member: .*NTRKH-/],
    ['another class', { ...MOI, [OID.organizationalUnitName]: 'Class COM' }, /\(memberClass, /],
    ['another member', { ...MOI, [ORGANIZATION_ID]: 'NTRKH-1' }, /\(member, /],
    ['a piece too many', { ...MOI, [OID.serialNumber]: 'MOI/GW1/x' }, /gateway: .*2 pieces/],
  ])('refuses %s, naming the part', async (_what, attributes, detail) => {
    await approve(NATIONAL)
    const { body } = await post(MEMBER, await issue(attributes))
    expect(body).toMatchObject({ code: 'admin.invalid' })
    expect(body.detail).toMatch(detail)
  })

  it.each([
    ['of another gateway', { ...MOI, [OID.serialNumber]: 'MOI/GW2' }],
    ['of no gateway', MOI],
  ])('does not vouch for a gateway by a certificate %s', async (_what, attributes) => {
    await approve(NATIONAL)
    const { body } = await post(GATEWAY, await issue(attributes, 'authentication'))
    expect(body.code).toBe('admin.invalid')
    expect(body.detail).toMatch(/\(gateway, /)
  })

  it('does not vouch by the profile of another: the root of the path decides', async () => {
    await approve(NATIONAL)
    const identity = { instance: 'KH-DEV', memberClass: 'GOV', member: '123456' }
    const asOurs = await national.issue('signing', identity)
    expect((await post(MEMBER, asOurs)).body.code).toBe('admin.invalid')
    const asTheirs = await issue(MOI, 'signing', own.issuing)
    expect((await post(MEMBER, asTheirs)).body.code).toBe('admin.invalid')
  })

  it('decides by the path also where one issuing authority stands under two roots', async () => {
    const { root, issuing } = national
    const subject = issuing.certificate.subjectDer
    const { publicKey } = issuing.certificate
    const at = new Date()
    const crossed = await issueCertificate({
      profile: 'issuing-authority',
      subject,
      publicKey,
      issuer: own.root,
      at,
    })
    await put('Own', { certificates: [...own.pems, crossed.pem] })
    // Paths are looked for in the order of names: first to National, whose profile is another
    await approve(NATIONAL)
    const signing = await issue(MOI)
    expect((await post(MEMBER, signing)).status).toBe(201)
    await remove(MEMBER, signing)
    expect((await running.call('DELETE', '/admin/authorities/National')).status).toBe(204)
    expect((await post(MEMBER, signing)).body.detail).toMatch(/profile of Own: /)
    await put('Own', { certificates: own.pems })
    expect(root.certificate.isCa).toBe(true)
  })

  it('does not change its profile while registered certificates are read by it', async () => {
    await approve(NATIONAL)
    const signing = await issue(MOI)
    await post(MEMBER, signing)
    const changed = { ...NATIONAL, member: { attribute: OID.commonName } }
    for (const profile of [changed, undefined]) {
      const { body } = await approve(profile)
      expect(body.code).toBe('admin.conflict')
      expect(body.detail).toContain(signing.thumbprint)
    }
    expect((await approve(NATIONAL, { ocspNonce: 'optional' })).status).toBe(200)
    await remove(MEMBER, signing)
    expect((await approve(changed)).status).toBe(200)
  })

  it('has one profile for one root', async () => {
    await approve(NATIONAL)
    const again = { certificates: national.pems, subjectProfile: NAMES_NO_GATEWAY }
    expect((await put('Second', again)).body.code).toBe('admin.conflict')
    expect((await put('Second', { ...again, subjectProfile: NATIONAL })).status).toBe(201)
    expect((await running.call('DELETE', '/admin/authorities/Second')).status).toBe(204)
  })
})

describe('a subject profile is refused', () => {
  const { member: _member, ...WITHOUT_MEMBER } = NATIONAL
  it.each([
    ['a part that is missing', WITHOUT_MEMBER, /'member'/],
    ['an unknown part', { ...NATIONAL, colour: { value: 'red' } }, /colour/],
    [
      'both attribute and value',
      { ...NATIONAL, member: { attribute: '2.5.4.3', value: 'x' } },
      /member: it has both/,
    ],
    ['neither', { ...NATIONAL, member: {} }, /member: write attribute/],
    [
      'an index without separator',
      { ...NATIONAL, member: { attribute: '2.5.4.3', index: 1 } },
      /member: .*separator/,
    ],
    [
      'a separator without index',
      { ...NATIONAL, member: { attribute: '2.5.4.3', separator: '/' } },
      /member: .*index/,
    ],
    [
      'an index beyond the pieces',
      { ...NATIONAL, member: { attribute: '2.5.4.3', separator: '/', index: 2, pieces: 2 } },
      /no piece 2/,
    ],
    [
      'a prefix beside a value',
      { ...NATIONAL, member: { value: 'x', prefix: 'y' } },
      /member: prefix/,
    ],
    ['a slash in a value', { ...NATIONAL, member: { value: 'a/b' } }, /slash/],
    [
      'a name in place of an identifier',
      { ...NATIONAL, member: { attribute: 'CN' } },
      /member: CN is no object identifier.*2\.5\.4\.5/,
    ],
    [
      'an identifier that is none',
      { ...NATIONAL, member: { attribute: '2.5.4.' } },
      /object identifier/,
    ],
    [
      'an identifier with a leading zero',
      { ...NATIONAL, member: { attribute: '2.5.04.3' } },
      /object identifier/,
    ],
    [
      'a negative index',
      { ...NATIONAL, member: { attribute: '2.5.4.3', separator: '/', index: -1 } },
      /index/,
    ],
    ['no object', 'own', /subjectProfile/],
  ])('with %s', async (_what, profile, detail) => {
    const { body } = await approve(profile)
    expect(body.code).toBe('admin.invalid')
    expect(body.detail).toMatch(detail)
  })

  it('naming all faults at once', async () => {
    const { body } = await approve({
      ...NATIONAL,
      instance: {},
      member: { attribute: 'CN', index: 1 },
    })
    expect(body.detail?.split('; ')).toHaveLength(4)
  })
})

it('the profiles that the documentation shows are accepted', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/foreign-authorities.md'), 'utf8')
  const profiles = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map((match) => match[1]!)
  expect(profiles.length).toBe(4)
  for (const profile of profiles) {
    const { status, body } = await approve(JSON.parse(profile))
    expect([body.detail, status]).toEqual([undefined, 200])
  }
})
