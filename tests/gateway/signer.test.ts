import { verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CatalogueView } from '../../gateway/catalogue-view.ts'
import { createSigner, type SigningKey } from '../../gateway/signer.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { manifestText, type ResponseManifest } from '../../protocol/manifest.ts'
import { createTestAuthority, later, NOW } from '../pki/support.ts'
import { BANK, CLIENT, ID, knowledgeOf, pairOfGateways, REGISTRY, SERVICE } from './support.ts'

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

async function keyOf(member: string, kind: KeyKind): Promise<SigningKey> {
  const authority = await createTestAuthority()
  const { privateKey, publicKey } = await generateKey(kind)
  const certificate = await authority.issue({ profile: 'signing', publicKey })
  return { member, privateKey, certificate }
}

const known = knowledgeOf(`${REGISTRY}/REG-1`)
const coded = (code: string, message?: RegExp): Error =>
  expect.objectContaining({
    code,
    ...(message ? { message: expect.stringMatching(message) as string } : {}),
  }) as Error
/** A catalogue that lists the certificates of these keys. */
const listing = (keys: readonly SigningKey[]): CatalogueView =>
  ({
    signingCertificate: (member: string, thumbprint: string) =>
      keys.find((key) => key.member === member && key.certificate.thumbprint === thumbprint)
        ?.certificate,
  }) as CatalogueView

describe('the signer', () => {
  it.each([
    ['P-256', 'ES256'],
    ['RSA-3072', 'PS256'],
  ] as const)('signs with a key of kind %s as %s', async (kind, alg) => {
    const key = await keyOf(REGISTRY, kind)
    const jws = parseJws(
      createSigner([key], known).sign(REGISTRY, MANIFEST, listing([key]), new Date(+NOW + 999)),
    )
    expect(jws.header).toEqual({
      alg,
      iat: NOW.getTime() / 1000,
      kid: REGISTRY,
      'x5t#S256': key.certificate.thumbprint,
    })
    expect(jws.payload.toString('utf8')).toBe(manifestText(MANIFEST))
    expect(() => verifyJws(jws, key.certificate.publicKey)).not.toThrow()
    if (alg === 'ES256') {
      const signer = { key: key.certificate.publicKey, dsaEncoding: 'ieee-p1363' } as const
      expect(verify('sha256', Buffer.from(jws.signingInput), signer, jws.signature)).toBe(true)
    }
  })

  it('signs for each member with that member’s key', async () => {
    const keys = [await keyOf(BANK, 'P-256'), await keyOf(REGISTRY, 'P-256')]
    const signer = createSigner(keys, known)
    for (const { member, certificate } of keys) {
      const jws = parseJws(signer.sign(member, MANIFEST, listing(keys), NOW))
      expect(jws.header.kid).toBe(member)
      expect(() => verifyJws(jws, certificate.publicKey)).not.toThrow()
    }
  })

  it('can sign for a member whose certificate the snapshot has, and while it is valid', async () => {
    const { keys, view } = await pairOfGateways()
    const signer = createSigner([keys.bank], known)
    expect(() => signer.verifyCanSign(BANK, view, NOW)).not.toThrow()
    expect(signer.isSignerOf(REGISTRY)).toBe(false)
    expect(() => signer.verifyCanSign(REGISTRY, view, NOW)).toThrow(coded('client.not-served'))
    for (const days of [4000, -2]) {
      const unsuitable = coded('gateway.certificate-unsuitable')
      expect(() => signer.verifyCanSign(BANK, view, later(days))).toThrow(unsuitable)
    }
    const unregistered = createSigner([await keyOf(BANK, 'P-256')], known)
    const inactive = coded('gateway.certificate-inactive')
    expect(() => unregistered.verifyCanSign(BANK, view, NOW)).toThrow(inactive)
  })

  it('takes the first of several certificates that others believe, and else says what each lacks', async () => {
    const { keys, view } = await pairOfGateways()
    const unlisted = await keyOf(BANK, 'P-256')
    const signer = createSigner([unlisted, keys.bank], known)
    const jws = parseJws(signer.sign(BANK, MANIFEST, view, NOW))
    expect(jws.header['x5t#S256']).toBe(keys.bank.certificate.thumbprint)
    const revokedAt = new Date('2026-01-02T03:04:05Z')
    const revoked = createSigner([unlisted, keys.bank], {
      ...known,
      revocation: () => ({ revokedAt, reason: 'keyCompromise' }),
    })
    expect(() => revoked.verifyCanSign(BANK, view, NOW)).toThrow(
      coded(
        'gateway.certificate-unsuitable',
        /was revoked at 2026-01-02.*keyCompromise.*; .*was revoked/,
      ),
    )
  })

  it('refuses to sign for a member whose key it has not', async () => {
    const signer = createSigner([await keyOf(BANK, 'P-256')], known)
    for (const member of [REGISTRY, CLIENT, '']) {
      expect(() => signer.sign(member, MANIFEST, listing([]), NOW)).toThrow(
        expect.objectContaining({ code: 'client.not-served' }),
      )
    }
  })
})
