import { sign, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CatalogueView } from '../../gateway/catalogue-view.ts'
import type { Credential } from '../../gateway/credentials/credential.ts'
import { createSigner } from '../../gateway/signer.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { manifestText, type ResponseManifest } from '../../protocol/manifest.ts'
import { createTestAuthority, later, NOW } from '../pki/support.ts'
import {
  BANK,
  CLIENT,
  credentialOf,
  credentialsOf,
  ID,
  knowledgeOf,
  pairOfGateways,
  REGISTRY,
  SERVICE,
} from './support.ts'

const MANIFEST: ResponseManifest = {
  version: 1,
  kind: 'response',
  exchangeId: ID,
  messageId: 'លេខ ១',
  client: CLIENT,
  service: SERVICE,
  status: 200,
  headersDigest: 'A'.repeat(43),
  bodyDigest: 'A'.repeat(43),
  bodySize: 0,
  requestDigest: 'A'.repeat(43),
  gateway: `${REGISTRY}/REG-1`,
  snapshot: 7,
}

async function keyOf(member: string, kind: KeyKind): Promise<Credential> {
  const authority = await createTestAuthority()
  const key = await generateKey(kind)
  const [instance = '', memberClass = '', name = ''] = member.split('/')
  const subject = subjectOf({ instance, memberClass, member: name })
  const { publicKey } = key
  return credentialOf(
    member,
    key,
    await authority.issue({ profile: 'signing', publicKey, subject }),
  )
}

/** A snapshot that lists these and nothing else. */
const listing = (...credentials: Credential[]): CatalogueView => {
  const find = (member: string, thumbprint: string) =>
    credentials.find((one) => one.owner === member && one.certificate.thumbprint === thumbprint)
  const signingCertificate: CatalogueView['signingCertificate'] = (member, thumbprint) =>
    find(member, thumbprint)?.certificate
  return { number: 7, signingCertificate } as CatalogueView
}

const known = knowledgeOf(`${REGISTRY}/REG-1`)
const coded = (code: string, message?: RegExp): Error =>
  expect.objectContaining({
    code,
    ...(message ? { message: expect.stringMatching(message) as string } : {}),
  }) as Error
describe('the signer', () => {
  it.each([
    ['P-256', 'ES256'],
    ['RSA-3072', 'PS256'],
  ] as const)('signs with a key of kind %s as %s', async (kind, alg) => {
    const key = await keyOf(REGISTRY, kind)
    const signer = createSigner(credentialsOf([key]))
    const at = new Date(+NOW + 999)
    const jws = parseJws(await signer.sign(REGISTRY, MANIFEST, listing(key), at))
    expect(jws.header).toEqual({
      alg,
      iat: NOW.getTime() / 1000,
      kid: REGISTRY,
      'x5t#S256': key.certificate.thumbprint,
    })
    expect(jws.payload.toString('utf8')).toBe(manifestText(MANIFEST))
    expect(() => verifyJws(jws, key.certificate.publicKey)).not.toThrow()
    if (alg === 'ES256') {
      const verifier = { key: key.certificate.publicKey, dsaEncoding: 'ieee-p1363' } as const
      expect(verify('sha256', Buffer.from(jws.signingInput), verifier, jws.signature)).toBe(true)
    }
  })

  it('signs for each member with that member’s key', async () => {
    const keys = [await keyOf(BANK, 'P-256'), await keyOf(REGISTRY, 'P-256')]
    const signer = createSigner(credentialsOf(keys))
    for (const { owner, certificate } of keys) {
      const jws = parseJws(await signer.sign(owner, MANIFEST, listing(...keys), NOW))
      expect(jws.header.kid).toBe(owner)
      expect(() => verifyJws(jws, certificate.publicKey)).not.toThrow()
    }
  })

  it('can sign for a member whose certificate the snapshot has, and while it is valid', async () => {
    const { keys, view } = await pairOfGateways()
    const signer = createSigner(credentialsOf([keys.bank]))
    expect(() => signer.verifyCanSign(BANK, view, NOW)).not.toThrow()
    expect(signer.isSignerOf(REGISTRY)).toBe(false)
    expect(() => signer.verifyCanSign(REGISTRY, view, NOW)).toThrow(coded('client.not-served'))
    for (const days of [4000, -2]) {
      const unsuitable = coded('gateway.certificate-unsuitable')
      expect(() => signer.verifyCanSign(BANK, view, later(days))).toThrow(unsuitable)
    }
    const unregistered = createSigner(credentialsOf([await keyOf(BANK, 'P-256')]))
    const inactive = coded('gateway.certificate-inactive')
    expect(() => unregistered.verifyCanSign(BANK, view, NOW)).toThrow(inactive)
  })

  it('takes one of several certificates that others believe, and else says what each lacks', async () => {
    const { keys, view } = await pairOfGateways()
    const unlisted = await keyOf(BANK, 'P-256')
    const both = [unlisted, keys.bank]
    const jws = parseJws(await createSigner(credentialsOf(both)).sign(BANK, MANIFEST, view, NOW))
    expect(jws.header['x5t#S256']).toBe(keys.bank.certificate.thumbprint)
    const revokedAt = new Date('2026-01-02T03:04:05Z')
    const revocation = () => ({ revokedAt, reason: 'keyCompromise' as const })
    const revoked = createSigner(credentialsOf(both, { ...known, revocation }))
    expect(() => revoked.verifyCanSign(BANK, view, NOW)).toThrow(
      coded(
        'gateway.certificate-unsuitable',
        /was revoked at 2026-01-02.*keyCompromise.*; .*was revoked/,
      ),
    )
  })

  it('says no reason for a revocation of which its authority says none', async () => {
    const { keys, view } = await pairOfGateways()
    const revocation = () => ({ revokedAt: new Date('2026-01-02T03:04:05Z') })
    const signer = createSigner(credentialsOf([keys.bank], { ...known, revocation }))
    expect(() => signer.verifyCanSign(BANK, view, NOW)).toThrow(
      coded('gateway.certificate-unsuitable', /was revoked at 2026-01-02T03:04:05\.000Z$/),
    )
  })

  it('refuses to sign for a member whose key it has not', async () => {
    const key = await keyOf(BANK, 'P-256')
    const signer = createSigner(credentialsOf([key]))
    for (const member of [REGISTRY, CLIENT, '']) {
      const signing = signer.sign(member, MANIFEST, listing(key), NOW)
      await expect(signing).rejects.toMatchObject({ code: 'client.not-served' })
    }
  })

  it('takes hardly longer than the signature alone', async () => {
    const key = await keyOf(BANK, 'P-256')
    const signer = createSigner(credentialsOf([key]))
    const view = listing(key)
    const time = async (run: () => unknown): Promise<number> => {
      const rounds: number[] = []
      // The best of a few: the machine has other things to do.
      for (let round = 0; round < 5; round += 1) {
        const begun = performance.now()
        for (let i = 0; i < 300; i += 1) await run()
        rounds.push(performance.now() - begun)
      }
      return Math.min(...rounds)
    }
    const { privateKey } = await generateKey('P-256')
    const bytes = Buffer.from(manifestText(MANIFEST))
    const bare = await time(() =>
      sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    )
    expect(await time(() => signer.sign(BANK, MANIFEST, view, NOW))).toBeLessThan(bare * 3)
  })
})
