import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import {
  DAY_MS,
  GATEWAY,
  hold as holdIn,
  MOI,
  POP,
  register as registerAt,
  type Held,
  type Order,
  type Sent,
} from './registrations.ts'
import { createAuthority, startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
let own: Held
let signing: Held
beforeAll(async () => {
  running = await startTestCatalogue()
  const put = (path: string, body: object) => running.call('PUT', path, { body })
  await put('/admin/authorities/test', { certificates: running.authority.pems })
  for (const member of ['MOI', 'TAX']) {
    await put(`/admin/members/GOV/${member}`, { name: member })
    await put(`/admin/subsystems/GOV/${member}/POP`, { name: 'Population' })
  }
  own = await hold()
  signing = await hold({ profile: 'signing', identity: MOI })
})
afterAll(() => running[Symbol.asyncDispose]())

const hold = (order: Order = {}): Promise<Held> => holdIn(running, order)
const register = (sent: Sent = {}): Promise<Answer> => registerAt(running, own, sent)
const refusal = ({ status, body }: Answer): unknown[] => [status, body.code]
const listedNow = async (): Promise<unknown> => {
  const { gateways, members } = await running.snapshot()
  return { gateways, signing: members.map((member) => member.signingCertificates) }
}

const NOT_ALLOWED = [403, 'registration.not-allowed']
const other: CertificateIdentity = { ...MOI, member: 'TAX' }

describe('what is refused, leaving nothing behind', () => {
  it.each<[string, () => Promise<Sent>, unknown[]]>([
    ['no JWS', async () => ({ spoil: () => 'x' }), [400, 'registration.malformed']],
    [
      'a changed signature',
      async () => ({
        spoil: (jws) =>
          jws.replace(/\.([^.])([^.]*)$/, (_, c, r) => `.${c === 'A' ? 'B' : 'A'}${r}`),
      }),
      [403, 'registration.signature-invalid'],
    ],
    [
      'the key of another',
      async () => ({ signer: { key: await generateKey('P-256'), certificate: own.certificate } }),
      [403, 'registration.signature-invalid'],
    ],
    [
      'a time long ago',
      async () => ({ change: { iat: Math.floor(Date.now() / 1000) - 400 } }),
      [403, 'registration.time-invalid'],
    ],
    [
      'an authority that is not approved',
      async () => ({ signer: await hold({ authority: await createAuthority('Foreign') }) }),
      [403, 'certificate.issuer-missing'],
    ],
    [
      'a certificate that has ended',
      async () => ({
        signer: await hold({ at: new Date(Date.now() - 2 * DAY_MS), lifetimeMs: DAY_MS }),
      }),
      [403, 'certificate.expired'],
    ],
    [
      'a signing certificate as signer',
      async () => ({ signer: signing }),
      [403, 'certificate.untrusted'],
    ],
    [
      'the certificate of an information system',
      async () => ({ signer: await hold({ profile: 'information-system' }) }),
      [403, 'certificate.untrusted'],
    ],
    ['a revoked certificate', async () => ({ state: 'revoked' }), [403, 'certificate.revoked']],
    [
      'a state that is not known',
      async () => ({ state: 'unknown' }),
      [503, 'certificate.status-unknown'],
    ],
    [
      'an OCSP answer of yesterday',
      async () => ({ answeredAt: new Date(Date.now() - DAY_MS) }),
      [503, 'certificate.status-unknown'],
    ],
    [
      'an OCSP answer that holds still, and is of two hours ago',
      async () => ({
        answeredAt: new Date(Date.now() - 7_200_000),
        validityMs: DAY_MS,
      }),
      [503, 'certificate.status-stale'],
    ],
    [
      'an OCSP answer about another certificate',
      async () => ({ about: signing.certificate }),
      [503, 'certificate.status-unknown'],
    ],
    [
      'no OCSP answer',
      async () => ({ change: { ocsp: 'MAMKAQA=' } }),
      [503, 'certificate.status-unknown'],
    ],
    [
      'another gateway of its member, with a certificate of that one',
      async () => ({
        change: { gateway: 'KH-DEV/GOV/MOI/MOI-2' },
        listed: [['authentication', await hold({ identity: { ...MOI, gateway: 'MOI-2' } })]],
      }),
      NOT_ALLOWED,
    ],
    [
      'a gateway of another member',
      async () => ({ change: { gateway: 'KH-DEV/GOV/TAX/MOI-1' } }),
      NOT_ALLOWED,
    ],
    [
      'a certificate of another gateway',
      async () => ({
        listed: [['authentication', await hold({ identity: { ...MOI, gateway: 'MOI-2' } })]],
      }),
      NOT_ALLOWED,
    ],
    [
      'a signing certificate of another member',
      async () => ({ listed: [['signing', await hold({ profile: 'signing', identity: other })]] }),
      NOT_ALLOWED,
    ],
    [
      'an authentication certificate as one for signing',
      async () => ({ listed: [['signing', own]] }),
      [403, 'certificate.untrusted'],
    ],
    [
      'a listed certificate that cannot be read',
      async () => ({ change: { certificates: [{ kind: 'signing', der: 'MAA=' }] } }),
      [400, 'encoding.malformed'],
    ],
    [
      'a client of another member',
      async () => ({ change: { clients: ['KH-DEV/GOV/TAX/POP'] } }),
      NOT_ALLOWED,
    ],
    [
      'a client that is not registered',
      async () => ({ change: { clients: ['KH-DEV/GOV/MOI/NO'] } }),
      NOT_ALLOWED,
    ],
    [
      'a member as a client',
      async () => ({ change: { clients: ['KH-DEV/GOV/MOI'] } }),
      NOT_ALLOWED,
    ],
    [
      'an address that is none',
      async () => ({ change: { address: 'https://gw/path' } }),
      [400, 'registration.malformed'],
    ],
  ])('%s', async (_name, sent, expected) => {
    const before = await listedNow()
    expect(refusal(await register(await sent()))).toEqual(expected)
    expect(await listedNow()).toEqual(before)
  })

  it('a gateway of a member that is not registered', async () => {
    const identity = { ...MOI, member: 'NEW', gateway: 'NEW-1' }
    const signer = await hold({ identity })
    const change = { gateway: 'KH-DEV/GOV/NEW/NEW-1', clients: [] }
    const sent = { signer, change, listed: [['authentication', signer]] } as const
    expect(refusal(await register(sent))).toEqual(NOT_ALLOWED)
  })

  it('a new gateway where only known ones register', async () => {
    await using strict = await startTestCatalogue({
      authority: running.authority,
      overrides: { registration: 'known-gateways' },
    })
    const { pems } = running.authority
    await strict.call('PUT', '/admin/authorities/test', { body: { certificates: pems } })
    await strict.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'MOI' } })
    await strict.call('PUT', '/admin/subsystems/GOV/MOI/POP', { body: { name: 'POP' } })
    expect(refusal(await register({ to: strict }))).toEqual(NOT_ALLOWED)
    const body = { address: 'https://gw.moi.example:5500', clients: [POP] }
    await strict.call('PUT', '/admin/gateways/GOV/MOI/MOI-1', { body })
    expect((await register({ to: strict })).status).toBe(200)
  })
})

describe('a gateway', () => {
  it('comes into the catalogue with its first certificates, in one snapshot, once', async () => {
    const listed = [
      ['authentication', own],
      ['signing', signing],
    ] as const
    const answer = await register({ listed })
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      gateway: { id: GATEWAY, address: 'https://gw.moi.example:5500', clients: [POP] },
    })
    const snapshot = await running.snapshot()
    expect(snapshot.number).toBe(answer.body.snapshotNumber)
    const der = ({ certificate }: Held): string => certificate.der.toString('base64')
    expect(snapshot.gateways).toMatchObject([{ id: GATEWAY, certificates: [der(own)] }])
    const member = snapshot.members.find(({ id }) => id === 'KH-DEV/GOV/MOI')!
    expect(member.signingCertificates).toEqual([der(signing)])

    expect((await register({ listed })).status).toBe(200)
    expect((await running.snapshot()).number).toBe(snapshot.number)
    const { body } = await running.call('GET', '/admin/events')
    expect(body.events).toContainEqual(
      expect.objectContaining({ actor: `gateway ${GATEWAY}`, action: 'register-gateway' }),
    )
  })

  it('adds a new certificate, signed with the old one, and changes nothing else of itself', async () => {
    const renewed = await hold()
    const change = { address: 'https://elsewhere.example:5500', clients: [] }
    const answer = await register({ listed: [['authentication', renewed]], change })
    expect(answer.body.gateway).toMatchObject({
      address: 'https://gw.moi.example:5500',
      clients: [POP],
    })
    expect((await running.snapshot()).gateways[0]!.certificates).toHaveLength(2)
  })

  it('adds signing certificates of members whose clients the catalogue lists for it', async () => {
    const body = { address: 'https://gw.moi.example:5500', clients: [POP, 'KH-DEV/GOV/TAX/POP'] }
    await running.call('PUT', '/admin/gateways/GOV/MOI/MOI-1', { body })
    const tax = await hold({ profile: 'signing', identity: other })
    expect((await register({ listed: [['signing', tax]] })).status).toBe(200)
    const { members } = await running.snapshot()
    const listed = members.find(({ id }) => id === 'KH-DEV/GOV/TAX')!.signingCertificates
    expect(listed).toEqual([tax.certificate.der.toString('base64')])
  })
})

it('a certificate that ended leaves the catalogue by itself, a third of its life later', async () => {
  await using fresh = await startTestCatalogue({ authority: running.authority })
  const call = (path: string, body: object) => fresh.call('PUT', path, { body })
  await call('/admin/authorities/test', { certificates: running.authority.pems })
  await call('/admin/members/GOV/MOI', { name: 'MOI' })
  await call('/admin/subsystems/GOV/MOI/POP', { name: 'POP' })
  const short = await hold({ lifetimeMs: 60_000 })
  const sent = { to: fresh, listed: [['authentication', short]] } as const
  expect((await register(sent)).status).toBe(201)
  const { notAfter } = short.certificate
  const count = async (): Promise<number> =>
    (await fresh.snapshot()).gateways[0]!.certificates.length
  fresh.clock.now = new Date(notAfter.getTime() + 15_000)
  await new Promise((done) => setTimeout(done, 5500))
  expect(await count()).toBe(1)
  fresh.clock.now = new Date(notAfter.getTime() + 30_000)
  await expect.poll(count, { timeout: 8000 }).toBe(0)
  const { body } = await fresh.call('GET', '/admin/events')
  expect(body.events).toContainEqual(
    expect.objectContaining({ actor: 'catalogue', action: 'remove-certificate' }),
  )
})
