import { describe, expect, it } from 'vitest'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import type { Answer, OcspQuestion } from '../../gateway/trust/known-state.ts'
import type { OcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { createTrust } from '../../gateway/trust/trust.ts'
import type { ValidationKeeper } from '../../gateway/trust/validation-keeper.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { generateKey } from '../../pki/keys.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { createLeaf, later, NOW } from '../pki/support.ts'
import { pairOfGateways } from './support.ts'

const ANSWER: Answer = {
  der: Buffer.from('an answer'),
  state: { status: 'good', thisUpdate: NOW, nextUpdate: later(1) },
  source: 'responder',
}

type Used = Parameters<ValidationKeeper['used']>
function keeperOf(): { readonly used: (...used: Used) => void; readonly seen: Used[] } {
  const seen: Used[] = []
  return { seen, used: (...used) => void seen.push(used) }
}

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
      return ANSWER
    },
    hear: () => undefined,
    follow: (pairs) => void followed.push(...pairs),
    take: () => NOW,
    answer: (thumbprint) => (thumbprint === refused?.thumbprint ? undefined : ANSWER),
    revocation: () => undefined,
    health: () => [],
    [Symbol.asyncDispose]: async () => {},
  }
}

describe('trust', () => {
  it('asks for the state of a certificate from its own issuer, as of the time given', async () => {
    const { authority, keys, view } = await pairOfGateways()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, keeper: keeperOf(), clock: () => NOW })
    await trust.verify(keys.bank.certificate, 'signing', NOW)
    const issuer = authority.issuing.certificate
    const question = { certificate: keys.bank.certificate, issuer, nonce: 'required' }
    expect(ocsp.checked).toEqual([[question, NOW]])
  })

  it('refuses what is revoked, and waits for that answer', async () => {
    const { keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const trust = createTrust({
      snapshot: () => view,
      ocsp: ocspOf(certificate),
      keeper: keeperOf(),
      clock: () => NOW,
    })
    const attempt = trust.verify(certificate, 'signing', NOW)
    await expect(attempt).rejects.toMatchObject({ code: 'certificate.revoked' })
  })

  it('has kept by what a signature was judged good, and nothing of what was refused or signed nothing', async () => {
    const { authority, keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const path = [certificate, authority.issuing.certificate, authority.root.certificate]
    const keeper = keeperOf()
    const trust = createTrust({ snapshot: () => view, ocsp: ocspOf(), keeper, clock: () => NOW })
    await trust.verify(certificate, 'signing', NOW)
    const key = await generateKey('P-256')
    const shown = await authority.issue({ profile: 'authentication', publicKey: key.publicKey })
    await trust.verify(shown, 'authentication', NOW)
    expect(keeper.seen).toEqual([[path, ANSWER]])
    const ocsp = ocspOf(certificate)
    const strict = createTrust({ snapshot: () => view, ocsp, keeper, clock: () => NOW })
    await expect(strict.verify(certificate, 'signing', NOW)).rejects.toThrow('revoked')
    expect(keeper.seen).toHaveLength(1)
  })

  it('has kept by what others judge what this gateway signed', async () => {
    const { authority, keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const path = [certificate, authority.issuing.certificate, authority.root.certificate]
    const keeper = keeperOf()
    const deps = { snapshot: () => view, keeper, clock: () => NOW }
    createTrust({ ...deps, ocsp: ocspOf() }).noteSigner(certificate)
    createTrust({ ...deps, ocsp: ocspOf(certificate) }).noteSigner(certificate)
    const unheard = { ...deps, snapshot: () => undefined, ocsp: ocspOf(certificate) }
    createTrust(unheard).noteSigner(certificate)
    expect(keeper.seen).toEqual([
      [path, ANSWER],
      [path, undefined],
      [[certificate], undefined],
    ])
  })

  it('refuses another authority, another purpose and another time, before it asks', async () => {
    const { keys, view } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, keeper: keeperOf(), clock: () => NOW })
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
    const trust = createTrust({
      snapshot: () => undefined,
      ocsp: ocspOf(),
      keeper: keeperOf(),
      clock: () => NOW,
    })
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
    const trust = createTrust({ snapshot: () => view, ocsp, keeper: keeperOf(), clock: () => NOW })
    await trust.verify(keys.bank.certificate, 'signing', NOW)
    expect(ocsp.checked).toMatchObject([[{ nonce: 'optional' }, NOW]])
  })

  it('follows our own certificates, and not those that are bad anyway', async () => {
    const { view, authority, keys } = await pairOfGateways()
    const { leaf } = await createLeaf()
    const ocsp = ocspOf()
    const trust = createTrust({ snapshot: () => view, ocsp, keeper: keeperOf(), clock: () => NOW })
    const { publicKey } = await generateKey('P-256')
    const own = await authority.issue({ profile: 'signing', publicKey })
    trust.follow([leaf, own])
    expect(ocsp.followed.map(({ certificate }) => certificate)).toEqual([own])
    expect(ocsp.followed[0]?.issuer).toBe(authority.issuing.certificate)
    ocsp.followed.length = 0
    const late = createTrust({
      snapshot: () => view,
      ocsp,
      keeper: keeperOf(),
      clock: () => later(4000),
    })
    late.follow([keys.bank.certificate])
    expect(ocsp.followed).toEqual([])
  })
})
