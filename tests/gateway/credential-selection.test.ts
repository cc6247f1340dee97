import { beforeAll, describe, expect, it } from 'vitest'
import { createCredential, type Credential } from '../../gateway/credentials/credential.ts'
import { selectCredential } from '../../gateway/credentials/selection.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import { knowledgeOf } from './support.ts'
import { createTestAuthority, DAY_MS, NOW, type TestAuthority } from '../pki/support.ts'

const OWNER = 'KH-TEST/GOV/REG'
const SLOT = { kind: 'signing', owner: OWNER } as const
const LIFE_MS = 90 * DAY_MS
const at = (ms: number): Date => new Date(NOW.getTime() + ms)

let authority: TestAuthority
let older: Credential
let newer: Credential
beforeAll(async () => {
  authority = await createTestAuthority()
  older = await issue({ at: at(-60 * DAY_MS) })
  newer = await issue({ at: NOW })
})

async function issue({
  at: issuedAt = NOW,
  profile = 'signing' as 'signing' | 'authentication',
  member = 'REG',
}): Promise<Credential> {
  const key = await generateKey('P-256')
  const certificate = await authority.issue({
    profile,
    publicKey: key.publicKey,
    subject: subjectOf({ instance: 'KH-TEST', memberClass: 'GOV', member }),
    at: issuedAt,
    lifetimeMs: LIFE_MS,
  })
  return createCredential({ ...SLOT, key, keyReference: 'file', chain: certificate.pem })!
}

interface Row {
  /** Milliseconds from now. */
  readonly when?: number
  readonly listed: { older?: number; newer?: number }
  readonly revoked?: 'older' | 'newer'
}
function select({ when = 0, listed, revoked }: Row): string {
  const nameOf = (thumbprint: string): 'older' | 'newer' =>
    thumbprint === older.certificate.thumbprint ? 'older' : 'newer'
  const chosen = selectCredential({
    slot: SLOT,
    credentials: [newer, older],
    listedSince: (thumbprint) => {
      const since = listed[nameOf(thumbprint)]
      return since === undefined ? undefined : at(since)
    },
    known: {
      ...knowledgeOf(`${OWNER}/REG-1`),
      revocation: (thumbprint) =>
        revoked === nameOf(thumbprint) ? { revokedAt: NOW, reason: 'superseded' } : undefined,
    },
    at: at(when),
  })
  return chosen === older ? 'older' : 'newer'
}
const DAY = DAY_MS
const OLD_END = 30 * DAY

describe('of two certificates', () => {
  it.each<[string, Row, 'older' | 'newer']>([
    ['the old one while the new one is not registered', { listed: { older: -DAY } }, 'older'],
    ['the new one when only it is registered', { listed: { newer: 0 } }, 'newer'],
    [
      'the old one for a minute after the registration of the new one',
      { listed: { older: -DAY, newer: -59_000 } },
      'older',
    ],
    ['the new one after it', { listed: { older: -DAY, newer: -60_000 } }, 'newer'],
    [
      'the new one at once when the old one has ended',
      { when: OLD_END + 1, listed: { older: -DAY, newer: OLD_END } },
      'newer',
    ],
    [
      'the new one in the last moments of the old one',
      { when: OLD_END - 1000, listed: { older: -DAY, newer: OLD_END - 2000 } },
      'newer',
    ],
    [
      'the new one when the old one is revoked',
      { listed: { older: -DAY, newer: 0 }, revoked: 'older' },
      'newer',
    ],
    [
      'the old one when the new one is revoked',
      { listed: { older: -DAY, newer: -DAY }, revoked: 'newer' },
      'older',
    ],
    ['the longer known one when both are new', { listed: { older: 0, newer: 0 } }, 'older'],
  ])('it is %s', (_name, row, expected) => {
    expect(select(row)).toBe(expected)
  })

  it('none registered is told as that', () => {
    expect(() => select({ listed: {} })).toThrow(
      expect.objectContaining({
        code: 'gateway.certificate-inactive',
        message: expect.stringMatching(/is not registered in the catalogue/) as unknown,
      }),
    )
  })

  it('none usable says of each why', () => {
    const row = { when: OLD_END + 1, listed: { older: -DAY }, revoked: 'newer' } as const
    expect(() => select(row)).toThrow(
      expect.objectContaining({
        code: 'gateway.certificate-unsuitable',
        message: expect.stringMatching(/was revoked at .*; .* expired at /) as unknown,
      }),
    )
  })
})

describe('a certificate', () => {
  it.each<[string, () => Promise<Credential>, RegExp]>([
    ['of another member', () => issue({ member: 'OTHER' }), /of CN=OTHER,OU=GOV,O=KH-TEST, not of/],
    ['of another kind', () => issue({ profile: 'authentication' }), /not for signing/],
    [
      'of another key',
      async () => createCredential({ ...newer, key: await generateKey('P-256') })!,
      /not the certificate of its key/,
    ],
    [
      'with a key that signs no manifest',
      async () => {
        const key = await generateKey('P-384')
        const { certificate } = newer
        const issued = await authority.issue({
          profile: 'signing',
          publicKey: key.publicKey,
          subject: certificate.subjectDer,
        })
        return createCredential({ ...SLOT, key, keyReference: 'file', chain: issued.pem })!
      },
      /P-256, RSA or Ed25519/,
    ],
  ])('%s is unsuitable for good', async (_name, make, reason) => {
    const { fault } = await make()
    expect(fault).toMatch(reason)
  })
})
