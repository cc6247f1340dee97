import { verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSigner, type SigningKey } from '../../gateway/signer.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { manifestText, type ResponseManifest } from '../../protocol/manifest.ts'
import { createTestAuthority, later, NOW } from '../pki/support.ts'
import { BANK, CLIENT, ID, pairOfGateways, REGISTRY, SERVICE } from './support.ts'

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

describe('the signer', () => {
  it.each([
    ['P-256', 'ES256'],
    ['RSA-3072', 'PS256'],
  ] as const)('signs with a key of kind %s as %s', async (kind, alg) => {
    const key = await keyOf(REGISTRY, kind)
    const jws = parseJws(createSigner([key]).sign(REGISTRY, MANIFEST, new Date(+NOW + 999)))
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
    const signer = createSigner(keys)
    for (const { member, certificate } of keys) {
      const jws = parseJws(signer.sign(member, MANIFEST, NOW))
      expect(jws.header.kid).toBe(member)
      expect(() => verifyJws(jws, certificate.publicKey)).not.toThrow()
    }
  })

  it('can sign for a member whose certificate the snapshot has, and while it is valid', async () => {
    const { keys, view } = await pairOfGateways()
    const signer = createSigner([keys.bank])
    expect(signer.canSign(BANK, view, NOW)).toBe(true)
    expect(signer.canSign(REGISTRY, view, NOW)).toBe(false)
    expect(signer.canSign(BANK, view, later(4000))).toBe(false)
    expect(signer.canSign(BANK, view, later(-1))).toBe(false)
    const unregistered = createSigner([await keyOf(BANK, 'P-256')])
    expect(unregistered.canSign(BANK, view, NOW)).toBe(false)
  })

  it('refuses to sign for a member whose key it has not', async () => {
    const signer = createSigner([await keyOf(BANK, 'P-256')])
    for (const member of [REGISTRY, CLIENT, '']) {
      expect(() => signer.sign(member, MANIFEST, NOW)).toThrow(
        expect.objectContaining({ code: 'client.not-served' }),
      )
    }
  })
})
