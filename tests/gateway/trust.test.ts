import { describe, expect, it } from 'vitest'
import type { OcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { createTrust } from '../../gateway/trust/trust.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { generateKey } from '../../pki/keys.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { createLeaf, later, NOW } from '../pki/support.ts'
import { pairOfGateways } from './support.ts'

type OcspPair = { certificate: Certificate; issuer: Certificate }

function ocspOf(refused?: Certificate): OcspCache & { checked: unknown[]; followed: OcspPair[] } {
  const checked: unknown[] = []
  const followed: OcspPair[] = []
  return {
    checked,
    followed,
    check: async (...question) => {
      checked.push(question)
      if (question[0] === refused) throw new ExchangeError('certificate.revoked', 'revoked')
    },
    follow: (pairs) => void followed.push(...pairs),
    revokedAt: () => undefined,
    health: () => [],
    [Symbol.asyncDispose]: async () => {},
  }
}

describe('trust', () => {
  it('asks for the state of a certificate from its own issuer, as of the time given', async () => {
    const { authority, keys, view } = await pairOfGateways()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp })
    await trust.verify(keys.bank.certificate, 'signing', NOW)
    expect(ocsp.checked).toEqual([[keys.bank.certificate, authority.issuing.certificate, NOW]])
  })

  it('refuses what is revoked, and waits for that answer', async () => {
    const { keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const trust = createTrust({ snapshot: () => view, ocsp: ocspOf(certificate) })
    const attempt = trust.verify(certificate, 'signing', NOW)
    await expect(attempt).rejects.toMatchObject({ code: 'certificate.revoked' })
  })

  it('refuses another authority, another purpose and another time, before it asks', async () => {
    const { keys, view } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp })
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
    const trust = createTrust({ snapshot: () => undefined, ocsp: ocspOf() })
    const attempt = trust.verify(keys.bank.certificate, 'signing', NOW)
    await expect(attempt).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  })

  it('follows every certificate of the snapshot and our own, but those that are bad anyway', async () => {
    const { view, authority } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp })
    const { publicKey } = await generateKey('P-256')
    const own = await authority.issue({ profile: 'signing', publicKey })
    trust.prefetch(view, [leaf, own], NOW)
    const followed = ocsp.followed.map(({ certificate }) => certificate)
    expect(new Set(followed)).toEqual(new Set([own, ...view.certificates]))
    expect(ocsp.followed.every((p) => p.issuer === authority.issuing.certificate)).toBe(true)
    ocsp.followed.length = 0
    trust.prefetch(view, [], later(4000))
    expect(ocsp.followed).toEqual([])
  })
})
