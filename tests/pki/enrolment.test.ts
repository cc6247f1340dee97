import { describe, expect, it } from 'vitest'
import type { Authority } from '../../pki/authority/authority.ts'
import type { Entitlement } from '../../pki/authority/issue-request.ts'
import { createCsr } from '../../pki/csr.ts'
import { generateKey } from '../../pki/keys.ts'
import { coded, requestFor, setupAuthority } from './authority-support.ts'
import { DAY_MS, GATEWAY, later, NOW } from './support.ts'

const { gateway: _, ...MEMBER } = GATEWAY
const AUTHENTICATION: Entitlement = {
  kind: 'authentication',
  identity: GATEWAY,
  subjectAltNames: ['gw.example'],
}
const SIGNING: Entitlement = { kind: 'signing', identity: MEMBER, subjectAltNames: [] }
const FROM = { remoteAddress: '192.0.2.1' }

function codeFor(authority: Authority, orders: Entitlement[], days = 7): string {
  return authority.codes.make({ orders, expiresAt: later(days) }).code
}

async function enrolled(authority: Authority, csr: Uint8Array, code: string) {
  const answer = await authority.enrol({ csr, code, ...FROM })
  if ('certificate' in answer) return answer.certificate
  throw new TypeError('it waits for approval')
}

describe('a one-time code', () => {
  it('yields one certificate for each order, whoever comes at once', async () => {
    const authority = await setupAuthority().open()
    const code = codeFor(authority, [AUTHENTICATION, SIGNING])
    const requests = await Promise.all(Array.from({ length: 8 }, () => requestFor(MEMBER)))
    const before = authority.counts().issued
    const answers = await Promise.allSettled(
      requests.map((csr) => authority.enrol({ csr, code, ...FROM })),
    )
    const refused = answers.flatMap((answer) =>
      answer.status === 'rejected' ? [answer.reason as unknown] : [],
    )
    expect(refused).toHaveLength(7)
    for (const error of refused) expect(error).toMatchObject({ code: 'enrolment.code-used' })
    expect(authority.counts().issued).toBe(before + 1)
    expect((await enrolled(authority, await requestFor(), code)).identity).toEqual(GATEWAY)
  })

  it('gives the same request the same certificate, at once and after a restart', async () => {
    const setup = setupAuthority()
    const authority = await setup.open()
    const code = codeFor(authority, [SIGNING])
    const csr = await requestFor(MEMBER)
    const issued = await Promise.all(
      Array.from({ length: 4 }, () => enrolled(authority, csr, code)),
    )
    expect(new Set(issued.map(({ serial }) => serial)).size).toBe(1)
    await authority[Symbol.asyncDispose]()
    // A lost answer is asked for again, also when the code is over by then.
    setup.setTime(later(30))
    const again = await enrolled(await setup.open(), csr, code)
    expect(again.serial).toBe(issued[0]!.serial)
  })

  it('is kept as a hash, and may be typed in lower case without its dashes', async () => {
    const authority = await setupAuthority().open()
    const code = codeFor(authority, [SIGNING])
    expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/)
    expect(JSON.stringify(authority.codes.list())).not.toContain(code)
    const typed = code.toLowerCase().replaceAll('-', ' ')
    expect((await enrolled(authority, await requestFor(MEMBER), typed)).identity).toEqual(MEMBER)
  })

  it('is refused when it is unknown, over, spent, removed or for another', async () => {
    const setup = setupAuthority()
    const authority = await setup.open()
    const code = codeFor(authority, [SIGNING])
    const csr = await requestFor(MEMBER)
    const attempt = (given: string | undefined, bytes = csr) =>
      authority.enrol({ csr: bytes, code: given, ...FROM })
    await expect(attempt(undefined)).rejects.toThrow(coded('enrolment.unauthenticated'))
    await expect(attempt('AAAAA')).rejects.toThrow(coded('enrolment.code-invalid'))
    await expect(attempt(code, await requestFor())).rejects.toThrow(
      coded('enrolment.identity-mismatch'),
    )
    setup.setTime(later(8))
    await expect(attempt(code)).rejects.toThrow(coded('enrolment.code-expired'))
    setup.setTime(NOW)
    await enrolled(authority, csr, code)
    await expect(attempt(code, await requestFor(MEMBER))).rejects.toThrow(
      coded('enrolment.code-used'),
    )
    authority.codes.remove(authority.codes.list()[0]!.id)
    await expect(attempt(code)).rejects.toThrow(coded('enrolment.code-invalid'))
  })

  it('for several kinds of one identity is asked by the path of an authority, or not made', async () => {
    const authority = await setupAuthority().open()
    const server: Entitlement = { ...SIGNING, kind: 'server', subjectAltNames: ['c.example'] }
    const system: Entitlement = { ...SIGNING, kind: 'information-system' }
    expect(() => codeFor(authority, [server, SIGNING, system])).toThrow(coded('admin.invalid'))
    const code = codeFor(authority, [system, SIGNING])
    const csr = await requestFor(MEMBER)
    await expect(authority.enrol({ csr, code, ...FROM })).rejects.toThrow(
      coded('enrolment.identity-mismatch'),
    )
    const answer = await authority.enrol({ csr, code, label: 'signing', ...FROM })
    expect(answer).toMatchObject({ certificate: { issuer: authority.issuers.signing.subject } })
    // What is left is one kind.
    const last = await enrolled(authority, await requestFor(MEMBER), code)
    expect(last.issuer).toBe(authority.issuers.authentication.subject)
  })

  it('is not spent by a fault of ours', async () => {
    let isBroken = false
    const setup = setupAuthority()
    const authority = await setup.open({
      publicUrl: () => {
        if (isBroken) throw new TypeError('a fault of this test')
        return 'http://authority.example'
      },
    })
    const code = codeFor(authority, [SIGNING])
    isBroken = true
    const csr = await requestFor(MEMBER)
    await expect(enrolled(authority, csr, code)).rejects.toThrow(TypeError)
    isBroken = false
    expect((await enrolled(authority, await requestFor(MEMBER), code)).identity).toEqual(MEMBER)
  })

  it('cannot be guessed: after ten wrong ones an address is not heard for a minute', async () => {
    const setup = setupAuthority()
    const authority = await setup.open()
    const code = codeFor(authority, [SIGNING])
    const csr = await requestFor(MEMBER)
    for (let i = 0; i < 10; i += 1) {
      await expect(authority.enrol({ csr, code: `WRONG${i}`, ...FROM })).rejects.toThrow()
    }
    await expect(authority.enrol({ csr, code, ...FROM })).rejects.toThrow(
      coded('enrolment.code-invalid'),
    )
    const other = await authority.enrol({ csr, code, remoteAddress: '192.0.2.2' })
    expect(other).toHaveProperty('certificate')
    setup.setTime(new Date(NOW.getTime() + 61_000))
    expect(await authority.enrol({ csr, code, ...FROM })).toEqual(other)
  })

  it('is made for what a kind may have, and for this instance', async () => {
    const authority = await setupAuthority().open()
    const bad: Entitlement[] = [
      { ...SIGNING, identity: GATEWAY },
      { ...AUTHENTICATION, identity: MEMBER },
      { ...SIGNING, identity: { ...MEMBER, instance: 'OTHER' } },
      { ...SIGNING, subjectAltNames: ['a.example'] },
    ]
    for (const order of bad) {
      expect(() => codeFor(authority, [order])).toThrow(coded('admin.invalid'))
    }
    expect(() => codeFor(authority, [])).toThrow(coded('admin.invalid'))
    expect(() => codeFor(authority, [SIGNING], -1)).toThrow(coded('admin.invalid'))
  })
})

describe('renewal', () => {
  const renew = async (authority: Authority, shown: Uint8Array, csr: Uint8Array) =>
    authority.reEnrol({ csr, peerCertificate: shown, ...FROM })

  it('keeps kind, identity and names, and may keep the key', async () => {
    const authority = await setupAuthority().open()
    const key = await generateKey('P-256')
    const subjectAltNames = ['gw.example']
    const csr = (await createCsr({ identity: GATEWAY, key, subjectAltNames })).der
    const first = await enrolled(authority, csr, codeFor(authority, [AUTHENTICATION]))
    const second = await renew(authority, first.der, csr)
    expect(second.serial).not.toBe(first.serial)
    expect(second.subject).toBe(first.subject)
    expect(second.subjectAltNames).toEqual(subjectAltNames)
    expect(second.publicKey.equals(first.publicKey)).toBe(true)
    // Both are in force: an exchange that began with the old one ends with it.
    expect(authority.find(first.serial)!.revocation).toBeUndefined()
  })

  it('of a signing certificate is for the gateway of the same enrolment alone', async () => {
    const authority = await setupAuthority().open()
    const names = AUTHENTICATION.subjectAltNames
    const code = codeFor(authority, [AUTHENTICATION, SIGNING])
    const own = await enrolled(authority, await requestFor(GATEWAY, names), code)
    await enrolled(authority, await requestFor(MEMBER), code)
    const neighbour = { ...GATEWAY, gateway: 'MOI-2' }
    const other = await enrolled(
      authority,
      await requestFor(neighbour),
      codeFor(authority, [{ ...AUTHENTICATION, identity: neighbour }]),
    )
    const csr = await requestFor(MEMBER)
    expect((await renew(authority, own.der, csr)).identity).toEqual(MEMBER)
    await expect(renew(authority, other.der, csr)).rejects.toThrow(
      coded('enrolment.identity-mismatch'),
    )
  })

  it('is refused to another name, to more names, after the end, after revocation', async () => {
    const setup = setupAuthority()
    const authority = await setup.open({ lifetimes: { authentication: 30_000 } })
    const names = AUTHENTICATION.subjectAltNames
    const code = codeFor(authority, [AUTHENTICATION])
    const csr = await requestFor(GATEWAY, names)
    const { der, notAfter, serial } = await enrolled(authority, csr, code)
    expect(notAfter.getTime() - NOW.getTime()).toBe(30_000)
    for (const [identity, asked] of [
      [{ ...GATEWAY, gateway: 'MOI-9' }, names],
      [GATEWAY, [...names, 'more.example']],
      [GATEWAY, []],
      [MEMBER, []],
    ] as const) {
      await expect(renew(authority, der, await requestFor(identity, asked))).rejects.toThrow(
        coded('enrolment.identity-mismatch'),
      )
    }
    setup.setTime(new Date(notAfter.getTime() + 1000))
    await expect(renew(authority, der, csr)).rejects.toThrow(coded('certificate.expired'))
    setup.setTime(new Date(NOW.getTime() - DAY_MS))
    await expect(renew(authority, der, csr)).rejects.toMatchObject({
      code: expect.stringMatching(/^certificate\.(not-yet-valid|expired)$/) as string,
    })
    setup.setTime(NOW)
    authority.revoke(serial, 'cessationOfOperation')
    await expect(renew(authority, der, csr)).rejects.toThrow(coded('certificate.revoked'))
  })
})
