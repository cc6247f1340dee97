/** Lies about who signed, whose certificate it was, and what was said: each with the code that names it. */
import type { EvidenceErrorCode } from '../../exchange-log/evidence/evidence-errors.ts'
import type { EvidenceChain } from '../../exchange-log/evidence/evidence.ts'
import { encodeName } from '../../pki/distinguished-name.ts'
import { OID } from '../../pki/oids.ts'
import { createTestAuthority, DAY_MS, NOW } from '../pki/support.ts'
import { responderOf, type Lies, type World } from './evidence-forger.ts'
import { AT, seconds } from './evidence-truth.ts'

export interface Lie {
  readonly name: string
  readonly code: EvidenceErrorCode
  /** For whoever has the archive alone it is not to be seen: VERIFY.md prints keys, which are not the published ones. */
  readonly isOfKeys?: true
  readonly lies: (world: World) => Lies | Promise<Lies>
}

const BANK = 'KH-TEST/COM/BANK'
const EVIL = 'KH-TEST/COM/EVIL'

/** As another authority names its holders: only the catalogue knows which member that is. */
const FOREIGN = encodeName([
  { type: OID.organizationName, value: 'The Bank of Somewhere Plc' },
  { type: OID.organizationalUnitName, value: 'Registers' },
  { type: OID.commonName, value: 'seal 7' },
])

const signer =
  (...args: Parameters<World['signer']>) =>
  async (world: World): Promise<Lies> => ({ signers: { request: await world.signer(...args) } })

const ofRequest =
  (change: (chain: EvidenceChain, world: World) => Partial<EvidenceChain>) =>
  (world: World): Lies => ({
    chain: (chain) =>
      chain.name === 'request-signer' ? { ...chain, ...change(chain, world) } : chain,
  })

const state =
  (...[entry, at]: [entry?: Parameters<World['state']>[1], at?: Date]) =>
  async (world: World): Promise<Lies> => {
    const { request } = world.signers
    const ocsp = await world.state(request.certificate, entry, at)
    return { signers: { request: { ...request, ocsp } } }
  }

export const SIGNER_LIES: readonly Lie[] = [
  {
    name: 'a member signed for another one',
    code: 'evidence.signature-invalid',
    lies: async (world) => ({
      signers: { request: { ...(await world.signer(EVIL)), kid: BANK } },
    }),
  },
  {
    name: 'a member signed for itself what another one sent',
    code: 'evidence.signature-invalid',
    lies: signer(EVIL),
  },
  {
    name: 'a member of a foreign authority signed for itself what another one sent',
    code: 'evidence.signature-invalid',
    lies: signer(EVIL, { subject: FOREIGN }),
  },
  {
    name: 'the certificate is of another member with the same key',
    code: 'evidence.certificate-untrusted',
    lies: async (world) => {
      const { key } = world.signers.request
      const { certificate } = await world.signer(EVIL, { key })
      const ocsp = new Map([[0, await world.state(certificate)]])
      return ofRequest(({ certificates: [, ...above] }) => ({
        certificates: [certificate.der, ...above],
        ocsp,
      }))(world)
    },
  },
  {
    name: 'the certificate had run out',
    code: 'evidence.certificate-untrusted',
    lies: signer(BANK, { lifetimeMs: 3_600_000 }),
  },
  {
    name: 'the certificate was not valid yet',
    code: 'evidence.certificate-untrusted',
    lies: signer(BANK, { at: new Date(AT.getTime() + 9 * DAY_MS) }),
  },
  {
    name: 'the certificate is one for TLS',
    code: 'evidence.certificate-untrusted',
    lies: signer(BANK, { profile: 'authentication', subjectAltNames: ['bank.example'] }),
  },
  {
    name: 'the certificate is one for time-stamps',
    code: 'evidence.certificate-untrusted',
    lies: signer(BANK, { profile: 'time-stamping' }),
  },
  {
    name: 'an authority of the same name issued the certificate',
    code: 'evidence.certificate-untrusted',
    lies: async (world) => {
      const other = await createTestAuthority()
      const request = await world.signer(BANK, {}, other)
      const responder = await responderOf(other)
      const ocsp = await world.state(request.certificate, {}, AT, responder)
      const above = [other.issuing.certificate, world.authority.root.certificate]
      return { signers: { request: { ...request, above, ocsp } } }
    },
  },
  {
    name: 'all of it leads to a root of its own',
    code: 'evidence.anchor-unknown',
    isOfKeys: true,
    lies: async (world) => {
      const other = await createTestAuthority()
      const request = await world.signer(BANK, {}, other)
      const responder = await responderOf(other)
      const ocsp = await world.state(request.certificate, {}, AT, responder)
      return { signers: { request: { ...request, ocsp } } }
    },
  },
  {
    name: 'the certificate is its own root',
    code: 'evidence.certificate-untrusted',
    lies: ofRequest(({ certificates }) => ({ certificates: certificates.slice(0, 1) })),
  },
  {
    name: 'the certificates end below the root',
    code: 'evidence.certificate-untrusted',
    lies: ofRequest(({ certificates }) => ({ certificates: certificates.slice(0, 2) })),
  },
  {
    name: 'a certificate that leads nowhere stands between',
    code: 'evidence.certificate-untrusted',
    lies: ofRequest(({ certificates: [leaf, ...above] }, world) => ({
      certificates: [leaf!, world.tsa.der, ...above],
    })),
  },
  {
    name: 'the certificate had been revoked',
    code: 'evidence.certificate-revoked',
    lies: state({ status: 'revoked', revokedAt: seconds(-60), reason: 'keyCompromise' }),
  },
  {
    name: 'the certificate had been revoked, as was said later',
    code: 'evidence.certificate-revoked',
    lies: state(
      { status: 'revoked', revokedAt: seconds(-60), reason: 'keyCompromise' },
      new Date(AT.getTime() + DAY_MS),
    ),
  },
  {
    name: 'the authority does not know the certificate',
    code: 'evidence.certificate-revoked',
    lies: state({ status: 'unknown' }),
  },
  {
    name: 'the answer of the authority had run out long before',
    code: 'evidence.certificate-revoked',
    lies: state({}, new Date(AT.getTime() - 30 * 3_600_000)),
  },
  {
    name: 'the answer is about another certificate',
    code: 'evidence.certificate-revoked',
    lies: async (world) => {
      const ocsp = await world.state(world.signers.response.certificate)
      return { signers: { request: { ...world.signers.request, ocsp } } }
    },
  },
  {
    name: 'the answer is of another authority',
    code: 'evidence.certificate-revoked',
    lies: async (world) => {
      const responder = await responderOf(await createTestAuthority())
      const { certificate: issuer } = world.authority.issuing
      const by = { ...responder, issuer }
      const ocsp = await world.state(world.signers.request.certificate, {}, AT, by)
      return { signers: { request: { ...world.signers.request, ocsp } } }
    },
  },
  {
    name: 'the member itself says that its certificate is good',
    code: 'evidence.certificate-revoked',
    lies: async (world) => {
      const { request } = world.signers
      const { certificate: issuer } = world.authority.issuing
      const ocsp = await world.state(request.certificate, {}, AT, { ...request, issuer })
      return { signers: { request: { ...request, ocsp } } }
    },
  },
  {
    name: 'the manifest was altered after it was signed',
    code: 'evidence.signature-invalid',
    lies: () => ({
      jws: (part, jws) => {
        const [head, payload = '', value] = jws.split('.')
        const text = Buffer.from(payload, 'base64url').toString().replace('KH1234', 'KH9999')
        return part === 'request'
          ? [head, Buffer.from(text).toString('base64url'), value].join('.')
          : jws
      },
    }),
  },
  {
    name: 'the signature is that of the other message',
    code: 'evidence.signature-invalid',
    lies: () => {
      let first = ''
      return {
        jws: (part, jws) => {
          if (part === 'request') first = jws.split('.')[2]!
          return part === 'request' ? jws : [...jws.split('.').slice(0, 2), first].join('.')
        },
      }
    },
  },
  {
    name: 'the request says that it was signed before the certificate was revoked',
    code: 'evidence.times-contradict',
    lies: () => ({ signedAt: () => seconds(-7200) }),
  },
  {
    name: 'the response says that it was signed after it was recorded',
    code: 'evidence.times-contradict',
    lies: () => ({ signedAt: (part) => seconds(part === 'response' ? 1200 : 0) }),
  },
  {
    name: 'the header block was altered',
    code: 'evidence.message-altered',
    lies: () => ({ headers: () => Buffer.from('x-road-client:KH-TEST/COM/EVIL/E\n') }),
  },
  {
    name: 'the body was altered',
    code: 'evidence.message-altered',
    lies: () => ({
      body: (part) => Buffer.from(part === 'response' ? 'no citizen' : 'who is សុខា?'),
    }),
  },
  {
    name: 'the manifest has the digest of the body and another size',
    code: 'evidence.message-altered',
    lies: () => ({ manifest: (_, manifest) => ({ ...manifest, bodySize: manifest.bodySize + 1 }) }),
  },
  ...(
    [
      ['another request', { requestDigest: 'AAAA' }],
      ['another exchange', { exchangeId: '01a20dd6-3821-7958-81ad-000000000000' }],
      ['another client', { client: 'KH-TEST/COM/OTHER/X' }],
      ['another message', { messageId: 'KH-TEST-2' }],
      ['another service', { service: 'KH-TEST/GOV/REG/POP/other' }],
    ] as const
  ).map(([what, change]): Lie => ({
    name: `the response answers ${what}`,
    code: 'evidence.answer-mismatch',
    lies: () => ({
      manifest: (part, manifest) => (part === 'response' ? { ...manifest, ...change } : manifest),
    }),
  })),
]

/** What is no lie, though it looks like one. */
export const TRUTHS: readonly Omit<Lie, 'code'>[] = [
  { name: 'nothing is said but what was', lies: () => ({}) },
  {
    name: 'the certificate was revoked after it had signed',
    lies: state(
      { status: 'revoked', revokedAt: seconds(3600), reason: 'superseded' },
      new Date(AT.getTime() + DAY_MS),
    ),
  },
  {
    name: 'a foreign authority issued the certificate',
    lies: signer(BANK, { subject: FOREIGN }),
  },
  {
    name: 'the authority could not be reached for some hours',
    lies: state({}, new Date(NOW.getTime() + 4 * 3_600_000)),
  },
]
