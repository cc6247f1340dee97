import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openAuthority, type Authority } from '../../pki/authority/authority.ts'
import type { IssueOrder } from '../../pki/authority/issue-request.ts'
import { createCsr } from '../../pki/csr.ts'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { verifyOcspResponse, type OcspStatus } from '../../pki/ocsp-verify.ts'
import { verifyPath } from '../../pki/path.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { ConfigError } from '../../runtime/config.ts'
import {
  createTestAuthority,
  GATEWAY,
  later,
  NOW,
  temporaryFolder,
  truncations,
} from './support.ts'

const { gateway: _, ...MEMBER } = GATEWAY

interface Setup {
  readonly stateDir: string
  readonly open: (keyKind?: KeyKind) => Promise<Authority>
  /** Moves the clock that every opened authority reads. */
  readonly setTime: (at: Date) => void
}

function setup(): Setup {
  const stateDir = join(temporaryFolder(), 'authority')
  let now = NOW
  const open = async (keyKind: KeyKind = 'P-256'): Promise<Authority> => {
    const authority = await openAuthority({
      instance: 'KH-TEST',
      stateDir,
      publicUrl: () => 'http://authority.example',
      clock: () => now,
      keyKind,
    })
    const closed = { is: false }
    onTestFinished(() => (closed.is ? undefined : authority[Symbol.asyncDispose]()))
    return {
      ...authority,
      [Symbol.asyncDispose]: async () => {
        closed.is = true
        await authority[Symbol.asyncDispose]()
      },
    }
  }
  return { stateDir, open, setTime: (at) => void (now = at) }
}

async function order(overrides: Partial<IssueOrder> = {}, asked?: CertificateIdentity) {
  const identity = overrides.identity ?? GATEWAY
  const csr = (await createCsr({ identity: asked ?? identity, key: await generateKey('P-256') }))
    .pem
  return { csr, kind: 'authentication', identity, ...overrides } satisfies IssueOrder
}

async function statusOf(
  authority: Authority,
  certificate: Certificate,
  at: Date,
): Promise<OcspStatus> {
  const { authentication, signing } = authority.issuers
  const issuer = certificate.issuer === signing.subject ? signing : authentication
  const { der } = await authority.answerOcsp(createOcspRequest(certificate, issuer))
  return verifyOcspResponse(der, { certificate, issuer, at })
}

const coded = (code: string): Error => expect.objectContaining({ code }) as Error

describe('authority', () => {
  it('issues a certificate of each kind that its chain carries', async () => {
    const authority = await setup().open()
    const orders = [
      await order(),
      await order({ kind: 'signing', identity: MEMBER }),
      await order({ kind: 'information-system', identity: { ...MEMBER, subsystem: 'កុំព្យូទ័រ' } }),
      await order({ kind: 'server', identity: MEMBER, subjectAltNames: ['catalogue.example'] }),
    ]
    for (const each of orders) {
      const certificate = await authority.issue(each)
      expect(certificate.identity).toEqual(each.identity)
      expect(certificate.ocspUrls).toEqual(['http://authority.example/ocsp'])
      const path = verifyPath(certificate, {
        anchors: [authority.root],
        intermediates: Object.values(authority.issuers),
        at: NOW,
        purpose: each.kind,
      })
      expect(path).toHaveLength(3)
    }
  })

  it('refuses an order that does not match its request, or its kind', async () => {
    const authority = await setup().open()
    const key = await generateKey('P-256')
    const names = { subjectAltNames: ['a.example'] }
    const withName = (await createCsr({ identity: GATEWAY, key, ...names })).pem
    const forAnother = [
      await order({}, { ...GATEWAY, gateway: 'MOI-2' }),
      await order({}, MEMBER),
      await order({ csr: withName }),
    ]
    for (const each of forAnother) {
      await expect(authority.issue(each)).rejects.toThrow(coded('enrolment.identity-mismatch'))
    }
    const refused = [
      await order({ identity: { ...GATEWAY, instance: 'OTHER' } }),
      await order({ identity: MEMBER }),
      await order({ kind: 'signing' }),
      await order({ kind: 'server', identity: MEMBER }),
      await order({ subjectAltNames: ['not a name'] }),
      await order({ identity: { ...GATEWAY, member: 'A\u202eB' } }),
      await order({ identity: { ...GATEWAY, member: 'A/B' } }),
    ]
    for (const each of refused) {
      await expect(authority.issue(each)).rejects.toThrow(coded('admin.invalid'))
    }
    expect(authority.counts().issued).toBe(6) // root, two authorities, their responders, the time-stamping authority
    const granted = await order({ csr: withName, subjectAltNames: ['a.example', '10.0.0.1'] })
    expect((await authority.issue(granted)).subjectAltNames).toEqual(['a.example', '10.0.0.1'])
  })

  it('shortens a life when told to, and never lengthens it', async () => {
    const authority = await setup().open()
    expect((await authority.issue(await order({ validityDays: 7 }))).notAfter).toEqual(later(7))
    expect((await authority.issue(await order({ validityDays: 3000 }))).notAfter).toEqual(
      later(730),
    )
  })

  it('answers good until a certificate is revoked, and revoked at once', async () => {
    const { open, setTime } = setup()
    const authority = await open()
    const certificate = await authority.issue(await order())
    expect((await statusOf(authority, certificate, NOW)).status).toBe('good')
    setTime(later(1))
    authority.revoke(certificate.serial, 'keyCompromise')
    const revoked = { status: 'revoked', revokedAt: later(1), reason: 'keyCompromise' }
    expect(await statusOf(authority, certificate, later(1))).toMatchObject(revoked)
    // An administrator who repeats a call whose answer was lost changes nothing.
    setTime(later(2))
    expect(authority.revoke(certificate.serial, 'superseded').revocation).toEqual({
      revokedAt: later(1),
      reason: 'keyCompromise',
    })
    expect(await statusOf(authority, certificate, later(2))).toMatchObject(revoked)
  })

  it('refuses to revoke what it did not issue, and its own certificates', async () => {
    const authority = await setup().open()
    expect(() => authority.revoke('1234', 'superseded')).toThrow(
      expect.objectContaining({ code: 'admin.not-found' }),
    )
    for (const { certificate, kind } of authority.list()) {
      if (kind === 'time-stamping') continue
      expect(() => authority.revoke(certificate.serial, 'superseded')).toThrow(
        expect.objectContaining({ code: 'admin.conflict' }),
      )
    }
  })

  it('keeps keys to itself: key files have mode 0600', async () => {
    const { stateDir, open } = setup()
    await open()
    for (const file of [
      'root.key',
      'authentication.key',
      'signing.key',
      'ocsp-signing.key',
      'authority.db',
    ]) {
      expect(statSync(join(stateDir, file)).mode & 0o777).toBe(0o600)
    }
  })

  it('goes on with the same keys and records after a restart', async () => {
    const { open } = setup()
    const first = await open()
    const [kept, revoked] = [await first.issue(await order()), await first.issue(await order())]
    first.revoke(revoked.serial, 'superseded')
    await first[Symbol.asyncDispose]()
    const second = await open()
    expect(second.chain).toEqual(first.chain)
    expect((await statusOf(second, kept, NOW)).status).toBe('good')
    expect((await statusOf(second, revoked, NOW)).status).toBe('revoked')
    expect(second.list()).toHaveLength(8)
  })

  it('works with the key of the root in a safe', async () => {
    const { stateDir, open } = setup()
    await (await open())[Symbol.asyncDispose]()
    rmSync(join(stateDir, 'root.key'))
    const authority = await open()
    expect((await authority.issue(await order())).identity).toEqual(GATEWAY)
    expect(existsSync(join(stateDir, 'root.key'))).toBe(false)
  })

  it.each(['authentication.key', 'signing.key', 'root.pem', 'authority.db'])(
    'refuses to start when %s is gone',
    async (file) => {
      const { stateDir, open } = setup()
      await (await open())[Symbol.asyncDispose]()
      // With root.pem gone, the database stays; with the database gone, the certificates do.
      rmSync(join(stateDir, file))
      await expect(open()).rejects.toThrow(ConfigError)
    },
  )

  it('refuses to start with the key of another authority', async () => {
    const { stateDir, open } = setup()
    await (await open())[Symbol.asyncDispose]()
    renameSync(join(stateDir, 'ocsp-signing.key'), join(stateDir, 'signing.key'))
    await expect(open()).rejects.toThrow(ConfigError)
  })

  it('renews the certificate of its responder while it runs', async () => {
    const { open, setTime } = setup()
    const authority = await open()
    const certificate = await authority.issue(await order())
    for (let day = 0; day <= 360; day += 9) {
      setTime(later(day))
      expect((await statusOf(authority, certificate, later(day))).status).toBe('good')
    }
    const responders = authority.list().filter(({ kind }) => kind === 'ocsp-responder')
    expect(responders.length).toBeGreaterThan(12)
    expect(responders.length).toBeLessThan(26)
  })

  it('renews it once, however many ask in the moment that it is over', async () => {
    const { open, setTime } = setup()
    const authority = await open()
    const certificate = await authority.issue(await order())
    const count = () => authority.list().filter(({ kind }) => kind === 'ocsp-responder').length
    const before = count()
    setTime(later(40))
    const request = createOcspRequest(certificate, authority.issuers.authentication)
    await Promise.all(Array.from({ length: 20 }, () => authority.answerOcsp(request)))
    expect(count()).toBe(before + 1)
  })

  it('answers malformedRequest to garbage, and unauthorized about another authority', async () => {
    const authority = await setup().open()
    const request = createOcspRequest(
      await authority.issue(await order()),
      authority.issuers.authentication,
    )
    const malformed = createOcspError('malformedRequest')
    for (const bytes of [...truncations(request), Buffer.from('garbage')]) {
      expect((await authority.answerOcsp(bytes)).der).toEqual(malformed)
    }
    const other = await createTestAuthority()
    const foreign = createOcspRequest(other.issuing.certificate, other.root.certificate)
    expect((await authority.answerOcsp(foreign)).der).toEqual(createOcspError('unauthorized'))
  })

  it('works with RSA keys', async () => {
    const authority = await setup().open('RSA-2048')
    const key = await generateKey('RSA-2048')
    const certificate = await authority.issue(
      await order({ csr: (await createCsr({ identity: GATEWAY, key })).pem }),
    )
    expect(certificate.publicKey.asymmetricKeyType).toBe('rsa')
    expect((await statusOf(authority, certificate, NOW)).status).toBe('good')
  })
})
