import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  Extensions,
  Name,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
  type Extension,
} from '@peculiar/asn1-x509'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  decodeAsn,
  encodeAsn,
  encodeInteger,
  extension,
  toArrayBuffer,
  unsignedInteger,
} from '../../pki/asn1.ts'
import { issueCertificate, type IssueRequest } from '../../pki/issue.ts'
import { exportSpki, generateKey } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { verifyProfile } from '../../pki/profile-check.ts'
import { POLICIES, PROFILES, type ProfileName } from '../../pki/profiles.ts'
import { buildToBeSigned } from '../../pki/to-be-signed.ts'
import {
  createLeaf,
  DAY_MS,
  later,
  name,
  NOW,
  openssl,
  temporaryFolder,
  writeFiles,
  type TestAuthority,
} from './support.ts'

const document = readFileSync('docs/certificate-profiles.md', 'utf8')
const nameOf = (id: string): string => Object.entries(OID).find(([, value]) => value === id)![0]
const [ARC] = POLICIES.authentication.split('.1.1')
const list = (items: readonly string[]): string => items.join(', ') || 'none'

it.each(Object.entries(PROFILES))('the document describes %s as it is issued', (name, profile) => {
  const { keyUsage, extendedKeyUsage, authority, lifetimeMs, subjectAltNames } = profile
  const critical = profile.isExtendedKeyUsageCritical ? ', critical' : ''
  const cells = [
    `\`${name}\``,
    profile.issuedBy,
    keyUsage.join(', '),
    list(extendedKeyUsage.map(nameOf)) + critical,
    authority ? `CA, path length ${authority.pathLength}` : 'not a CA',
    subjectAltNames,
    list(profile.policies.map((id) => id.replace(ARC!, 'arc'))),
    list(profile.locations),
    `${lifetimeMs / DAY_MS} days`,
  ]
  expect(document).toContain(`| ${cells.join(' | ')} |`)
  expect(document).toContain(`\`arc\` is ${ARC}:`)
})

let authority: TestAuthority
let request: IssueRequest
beforeAll(async () => {
  const made = await createLeaf()
  authority = made.authority
  request = {
    profile: 'authentication',
    subject: made.leaf.subjectDer,
    publicKey: made.key.publicKey,
    issuer: authority.issuing,
    at: NOW,
    subjectAltNames: ['localhost'],
    ocspUrl: 'http://authority.example/ocsp',
    caIssuersUrl: 'http://authority.example/ca/authentication.cer',
    crlUrl: 'http://authority.example/crl/authentication.crl',
  }
})

describe.each(['P-256', 'P-384', 'RSA-2048', 'RSA-4096'] as const)('profiles of %s', (kind) => {
  it('are what openssl reads', async () => {
    const { publicKey } = await generateKey(kind)
    const folder = temporaryFolder()
    for (const profile of Object.keys(PROFILES) as ProfileName[]) {
      const { locations, subjectAltNames } = PROFILES[profile]
      const certificate = await issueCertificate({
        profile,
        subject: request.subject,
        publicKey,
        issuer: authority.issuing,
        at: NOW,
        ...(subjectAltNames === 'required' ? { subjectAltNames: ['localhost'] } : {}),
        ...(locations.includes('crl')
          ? { crlUrl: request.crlUrl!, ocspUrl: request.ocspUrl! }
          : {}),
      })
      writeFiles(folder, { 'a.pem': certificate.pem })
      const { output } = await openssl(['x509', '-noout', '-text', '-in', join(folder, 'a.pem')])
      expect(output).toContain('Version: 3 (0x2)')
      for (const policy of PROFILES[profile].policies) {
        const text = policy === OID.anyPolicy ? 'X509v3 Any Policy' : policy
        expect(output).toContain(`Policy: ${text}`)
      }
      if (locations.includes('crl')) {
        expect(output).toContain(`URI:${request.crlUrl}`)
        expect(certificate.crlUrls).toEqual([request.crlUrl])
      }
      expect(certificate.policies).toEqual(PROFILES[profile].policies)
      expect(output.includes('Time Stamping')).toBe(profile === 'time-stamping')
      expect(output.includes('X509v3 Extended Key Usage: critical')).toBe(
        profile === 'time-stamping',
      )
    }
  })
})

type Change = (certificate: TBSCertificate) => void

const changeExtension =
  (id: string, change: (extension: Extension) => void): Change =>
  ({ extensions = [] }) =>
    change(extensions.find(({ extnID }) => extnID === id)!)

const withValue = (id: string, value: Buffer): Change =>
  changeExtension(id, (extension) => {
    extension.extnValue = new OctetString(toArrayBuffer(value))
  })

const CHANGES: [field: string, Change][] = [
  ['version', (tbs) => void Object.assign(tbs, { version: Version.v1, extensions: undefined })],
  ['serial', (tbs) => (tbs.serialNumber = unsignedInteger(Buffer.of(1)))],
  ['serial', (tbs) => (tbs.serialNumber = unsignedInteger(Buffer.alloc(17, 1)))],
  [
    'algorithmDer',
    (tbs) => (tbs.signature = new AlgorithmIdentifier({ algorithm: OID.ecdsaWithSha384 })),
  ],
  ['issuerDer', (tbs) => (tbs.issuer = decodeAsn(name('another'), Name))],
  ['subjectDer', (tbs) => (tbs.subject = decodeAsn(name('another'), Name))],
  [
    'notAfter',
    (tbs) =>
      (tbs.validity = new Validity({
        notBefore: tbs.validity.notBefore.getTime(),
        notAfter: later(731),
      })),
  ],
  [
    'notBefore',
    (tbs) =>
      (tbs.validity = new Validity({
        notBefore: later(-1),
        notAfter: tbs.validity.notAfter.getTime(),
      })),
  ],
  [
    'publicKeyBits',
    (tbs) => {
      const { publicKey } = authority.root.key
      tbs.subjectPublicKeyInfo = decodeAsn(exportSpki(publicKey), SubjectPublicKeyInfo)
    },
  ],
  ['isCa', withValue(OID.basicConstraints, Buffer.from('30030101ff', 'hex'))],
  ['keyUsage', withValue(OID.keyUsage, Buffer.from('03020106', 'hex'))],
  ['extendedKeyUsage', withValue(OID.extKeyUsage, Buffer.from('300a06082b06010505070301', 'hex'))],
  ['subjectAltNames', withValue(OID.subjectAltName, Buffer.from('3003820161', 'hex'))],
  ['policies', withValue(OID.certificatePolicies, Buffer.from('3006300406022a03', 'hex'))],
  ['crlUrls', withValue(OID.cRLDistributionPoints, Buffer.from('3000', 'hex'))],
  ['ocspUrls', withValue(OID.authorityInfoAccess, Buffer.from('3000', 'hex'))],
  ['subjectKeyId', withValue(OID.subjectKeyIdentifier, Buffer.from('0400', 'hex'))],
  ['authorityKeyId', withValue(OID.authorityKeyIdentifier, Buffer.from('3000', 'hex'))],
  ['criticality', changeExtension(OID.keyUsage, (usage) => (usage.critical = false))],
  ['criticality', changeExtension(OID.extKeyUsage, (usage) => (usage.critical = true))],
  ['criticality', ({ extensions }) => extensions!.push(extension('1.2.3.4', encodeInteger(1)))],
  ['criticality', (tbs) => (tbs.extensions = new Extensions(tbs.extensions!.slice(0, -1)))],
]

describe('profile check', () => {
  it.each(CHANGES)('refuses to sign a certificate with another %s', (field, change) => {
    const toBeSigned = buildToBeSigned(request)
    expect(() => verifyProfile(toBeSigned, request)).not.toThrow()
    const changed = decodeAsn(toBeSigned, TBSCertificate)
    change(changed)
    const verify = () => verifyProfile(encodeAsn(changed), request)
    expect(verify).toThrow(TypeError)
    expect(verify).toThrow(new RegExp(`must not be signed:.*${field}`))
  })

  it.each([
    ['names where the profile has none', { profile: 'signing' as const }],
    ['no name where the profile asks for one', { profile: 'server' as const, subjectAltNames: [] }],
    [
      'an address where the profile has none',
      { profile: 'root-authority' as const, subjectAltNames: [] },
    ],
  ])('refuses a request with %s', async (_what, change) => {
    await expect(issueCertificate({ ...request, ...change })).rejects.toThrow(TypeError)
  })

  it('writes the policies of a request in place of those of the profile', async () => {
    const policies = ['1.3.6.1.4.1.99999.1', '2.25.1']
    expect((await issueCertificate({ ...request, policies })).policies).toEqual(policies)
  })
})
