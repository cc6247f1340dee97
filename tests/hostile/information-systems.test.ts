import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import { obtain, type Credentials } from '../support/certificates.ts'
import { DAY_MS } from '../support/clock.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { send, type Answer } from '../support/http.ts'
import { expectRefusal } from '../support/refusals.ts'

let f: Federation
let foreign: Federation
let good: Credentials
beforeAll(async () => {
  f = await startFederation()
  foreign = await startFederation()
  good = await obtain(f.authority.authority, order('KYC'))
  await register(good)
})
afterAll(async () => {
  await foreign[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

const order = (subsystem: string) =>
  ({
    kind: 'information-system',
    identity: { instance: INSTANCE, memberClass: 'COM', member: 'BANK', subsystem },
  }) as const

const register = ({ certificate }: Credentials, client = BANK): Promise<unknown> =>
  f.client.admin.call('POST', '/admin/information-systems', {
    client,
    certificate: certificate.pem,
  })

const callWith = (tls: Credentials | undefined, client = BANK): Promise<Answer> =>
  send({
    port: f.client.running.ports.https,
    path: `/r1/${REGISTRY}/echo`,
    rawHeaders: ['X-Road-Client', client],
    tls: { ca: f.ca, ...(tls ? { cert: tls.cert, key: tls.key } : {}) },
  })

const refused = (tls: Credentials | undefined, code: ErrorCode, client = BANK): Promise<void> =>
  expectRefusal(f, { name: code, send: () => callWith(tls, client), code, by: 'client' })

describe('an information system on the mTLS port', () => {
  it('is served with the certificate that is registered for it', async () => {
    expect((await callWith(good)).status).toBe(200)
  })

  it('is refused without a certificate', () => refused(undefined, 'client.certificate-missing'))

  it('is refused with a certificate that is not registered', async () => {
    const other = await obtain(f.authority.authority, order('KYC'))
    await refused(other, 'client.certificate-unregistered')
  })

  it('is refused in the name of another subsystem of its member', () =>
    refused(good, 'client.certificate-unregistered', `${INSTANCE}/COM/BANK/NOGRANT`))

  it('is refused with a certificate of an unknown authority, although it is registered', async () => {
    const theirs = await obtain(foreign.authority.authority, order('KYC'))
    await register(theirs)
    await refused(theirs, 'certificate.untrusted')
  })

  it('is refused with a revoked certificate', async () => {
    const revoked = await obtain(f.authority.authority, order('KYC'))
    await register(revoked)
    expect((await callWith(revoked)).status).toBe(200)
    f.authority.authority.revoke(revoked.certificate.serial, 'keyCompromise')
    await new Promise((done) => setTimeout(done, 2500))
    await refused(revoked, 'certificate.revoked')
  })

  it('is refused with a gateway’s or a seal’s certificate', async () => {
    await register(f.client.signing)
    await refused(f.client.signing, 'certificate.untrusted')
  })

  it('is refused once its certificate is taken away', async () => {
    const path = `/admin/information-systems/${good.certificate.thumbprint}`
    await f.client.admin.call('DELETE', `${path}?client=${encodeURIComponent(BANK)}`)
    await refused(good, 'client.certificate-unregistered')
  })

  it('is refused on the day after its certificate has expired', async () => {
    const short = await obtain(f.authority.authority, { ...order('KYC'), validityDays: 1 })
    await register(short)
    expect((await callWith(short)).status).toBe(200)
    for (const clock of Object.values(f.clocks)) clock.offsetMs = 2 * DAY_MS
    const before = f.catalogue.snapshotNumber()
    await vi.waitFor(() => expect(f.catalogue.snapshotNumber()).toBeGreaterThan(before))
    await f.settled()
    await refused(short, 'certificate.expired')
    await expect(register(short)).rejects.toMatchObject({ code: 'admin.invalid' })
  })
})
