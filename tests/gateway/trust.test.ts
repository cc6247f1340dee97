import { describe, expect, it } from 'vitest'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import type { OcspQuestion } from '../../gateway/trust/known-state.ts'
import type { OcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { createTrust } from '../../gateway/trust/trust.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { generateKey } from '../../pki/keys.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { createLeaf, later, NOW } from '../pki/support.ts'
import { pairOfGateways } from './support.ts'

function ocspOf(
  refused?: Certificate,
): OcspCache & { checked: unknown[]; followed: OcspQuestion[] } {
  const checked: unknown[] = []
  const followed: OcspQuestion[] = []
  return {
    checked,
    followed,
    check: async (...question) => {
      checked.push(question)
      if (question[0].certificate === refused)
        throw new ExchangeError('certificate.revoked', 'revoked')
    },
    follow: (pairs) => void followed.push(...pairs),
    take: () => NOW,
    answer: () => undefined,
    revocation: () => undefined,
    health: () => [],
    [Symbol.asyncDispose]: async () => {},
  }
}

describe('trust', () => {
  it('asks for the state of a certificate from its own issuer, as of the time given', async () => {
    const { authority, keys, view } = await pairOfGateways()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, clock: () => NOW })
    await trust.verify(keys.bank.certificate, 'signing', NOW)
    const issuer = authority.issuing.certificate
    const question = { certificate: keys.bank.certificate, issuer, nonce: 'required' }
    expect(ocsp.checked).toEqual([[question, NOW]])
  })

  it('refuses what is revoked, and waits for that answer', async () => {
    const { keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const trust = createTrust({ snapshot: () => view, ocsp: ocspOf(certificate), clock: () => NOW })
    const attempt = trust.verify(certificate, 'signing', NOW)
    await expect(attempt).rejects.toMatchObject({ code: 'certificate.revoked' })
  })

  it('refuses another authority, another purpose and another time, before it asks', async () => {
    const { keys, view } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, clock: () => NOW })
    const { certificate } = keys.bank
    const untrusted = { code: 'certificate.untrusted' }
    await expect(trust.verify(leaf, 'authentication', NOW)).rejects.toMatchObject(untrusted)
    await expect(trust.verify(certificate, 'authentication', NOW)).rejects.toMatchObject(untrusted)
    const expired = trust.verify(certificate, 'signing', later(4000))
    await expect(expired).rejects.toMatchObject({ code: 'certificate.expired' })
    expect(ocsp.checked).toEqual([])
  })

  it('trusts nobody without a snapshot', async () => {
    const { keys } = await pairOfGateways()
    const trust = createTrust({ snapshot: () => undefined, ocsp: ocspOf(), clock: () => NOW })
    const attempt = trust.verify(keys.bank.certificate, 'signing', NOW)
    await expect(attempt).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  })

  it('asks without a nonce to be repeated where the authority repeats none', async () => {
    const { snapshot, keys } = await pairOfGateways()
    const [authority] = snapshot.authorities
    const view = indexSnapshot({
      ...snapshot,
      authorities: [{ ...authority!, ocspNonce: 'optional' }],
    })
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, clock: () => NOW })
    await trust.verify(keys.bank.certificate, 'signing', NOW)
    expect(ocsp.checked).toMatchObject([[{ nonce: 'optional' }, NOW]])
  })

  it('follows our own certificates, and not those that are bad anyway', async () => {
    const { view, authority, keys } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, clock: () => NOW })
    const { publicKey } = await generateKey('P-256')
    const own = await authority.issue({ profile: 'signing', publicKey })
    trust.follow([leaf, own])
    expect(ocsp.followed.map(({ certificate }) => certificate)).toEqual([own])
    expect(ocsp.followed[0]?.issuer).toBe(authority.issuing.certificate)
    ocsp.followed.length = 0
    const late = createTrust({ snapshot: () => view, ocsp, clock: () => later(4000) })
    late.follow([keys.bank.certificate])
    expect(ocsp.followed).toEqual([])
  })
})
