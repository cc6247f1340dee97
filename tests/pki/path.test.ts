import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import type { CertificateKind } from '../../pki/identity.ts'
import { issueCertificate, type Issuer } from '../../pki/issue.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { verifyPath } from '../../pki/path.ts'
import {
  createLeaf,
  createTestAuthority,
  DAY_MS,
  later,
  name,
  NOW,
  openssl,
  temporaryFolder,
  writeFiles,
  type TestAuthority,
  type TestIssuer,
} from './support.ts'

const KINDS = ['authentication', 'signing', 'information-system', 'server'] as const

/** What openssl calls the purpose, where it knows it. */
const OPENSSL_PURPOSES = {
  authentication: ['sslserver', 'sslclient'],
  signing: ['smimesign'],
  'information-system': ['sslclient'],
  server: ['sslserver'],
  'ocsp-responder': ['ocsphelper'],
}

let authority: TestAuthority
let key: KeyPair
beforeAll(async () => {
  ;({ authority, key } = await createLeaf())
})

const leafOf = (profile: CertificateKind): Promise<Certificate> =>
  authority.issue({
    profile,
    publicKey: key.publicKey,
    subjectAltNames: profile === 'signing' ? [] : ['localhost'],
  })

function check(leaf: Certificate, overrides: Partial<Parameters<typeof verifyPath>[1]> = {}) {
  return verifyPath(leaf, {
    anchors: [authority.root.certificate],
    intermediates: [authority.issuing.certificate],
    at: NOW,
    purpose: 'authentication',
    ...overrides,
  })
}

const untrusted = expect.objectContaining({ code: 'certificate.untrusted' }) as Error
const notYetValid = expect.objectContaining({ code: 'certificate.not-yet-valid' }) as Error
const expired = expect.objectContaining({ code: 'certificate.expired' }) as Error

describe('path', () => {
  it.each(['P-256', 'P-384', 'RSA-2048'] as const)(
    'accepts a chain of %s keys, as openssl does with every check on',
    async (kind) => {
      const made = await createLeaf(kind)
      const { root, issuing, issue } = made.authority
      const folder = temporaryFolder()
      writeFiles(folder, { 'root.pem': root.certificate.pem, 'ca.pem': issuing.certificate.pem })
      for (const [profile, purposes] of Object.entries(OPENSSL_PURPOSES)) {
        const leaf = await issue({
          profile: profile as CertificateKind,
          publicKey: made.key.publicKey,
          subjectAltNames: profile === 'server' ? ['localhost', '127.0.0.1'] : [],
        })
        writeFiles(folder, { 'leaf.pem': leaf.pem })
        for (const purpose of purposes) {
          const { output, exitCode } = await openssl(
            ['verify', '-x509_strict', '-purpose', purpose, '-check_ss_sig'],
            ['-attime', String(NOW.getTime() / 1000), '-CAfile', join(folder, 'root.pem')],
            ['-untrusted', join(folder, 'ca.pem'), join(folder, 'leaf.pem')],
          )
          expect([exitCode, output]).toEqual([0, expect.stringContaining('OK')])
        }
        if (profile === 'ocsp-responder') continue
        const path = verifyPath(leaf, {
          anchors: [root.certificate],
          intermediates: [issuing.certificate],
          at: NOW,
          purpose: profile as CertificateKind,
        })
        expect(path).toEqual([leaf, issuing.certificate, root.certificate])
      }
    },
  )

  it('ends at the issuing authority when that is the approved one', async () => {
    const anchors = [authority.issuing.certificate]
    expect(check(await leafOf('authentication'), { anchors, intermediates: [] })).toHaveLength(2)
  })

  it.each([
    ['before its first second', -1, notYetValid],
    ['after its last second', 731, expired],
  ])('refuses a certificate %s', async (_what, days, code) => {
    const leaf = await leafOf('authentication')
    expect(() => check(leaf, { at: later(days) })).toThrow(code)
  })

  it('tells a certificate that ended a second ago, since when it is over', async () => {
    const leaf = await leafOf('authentication')
    const second = (instant: Date, n: number) => new Date(instant.getTime() + n * 1000)
    const ended = () => check(leaf, { at: second(leaf.notAfter, 1) })
    expect(ended).toThrow(expired)
    expect(ended).toThrow(`is over since ${leaf.notAfter.toISOString()}`)
    const early = () => check(leaf, { at: second(leaf.notBefore, -1) })
    expect(early).toThrow(notYetValid)
    expect(early).toThrow(`valid from ${leaf.notBefore.toISOString()} on`)
  })

  it('accepts the first and the last second of a life', async () => {
    const leaf = await leafOf('authentication')
    for (const at of [leaf.notBefore, leaf.notAfter]) expect(check(leaf, { at })).toHaveLength(3)
  })

  it('names subject, dates and time of the check when a certificate is expired', async () => {
    const leaf = await leafOf('authentication')
    const texts = [leaf.subject, leaf.notBefore, leaf.notAfter, later(731)].map((value) =>
      value instanceof Date ? value.toISOString() : value,
    )
    for (const text of texts) expect(() => check(leaf, { at: later(731) })).toThrow(text)
  })

  it('refuses an expired certificate above the leaf', async () => {
    const short = await issueCertificate({
      profile: 'issuing-authority',
      subject: authority.issuing.certificate.subjectDer,
      publicKey: authority.issuing.certificate.publicKey,
      issuer: authority.root,
      at: later(-40),
      lifetimeMs: 30 * DAY_MS,
    })
    const leaf = await leafOf('authentication')
    expect(() => check(leaf, { intermediates: [short] })).toThrow(expired)
    // The renewed certificate beside it is found.
    const both = [short, authority.issuing.certificate]
    expect(check(leaf, { intermediates: both })).toHaveLength(3)
  })

  it('refuses a certificate for another use than the one asked for', async () => {
    const allowed: Record<CertificateKind, readonly CertificateKind[]> = {
      authentication: ['authentication', 'information-system', 'server'],
      signing: ['signing'],
      'information-system': ['information-system'],
      server: ['server'],
    }
    for (const kind of KINDS) {
      for (const purpose of KINDS) {
        const leaf = await leafOf(kind)
        const verify = () => check(leaf, { purpose })
        if (allowed[kind].includes(purpose)) expect(verify()).toHaveLength(3)
        else expect(verify).toThrow(untrusted)
      }
    }
  })

  it('refuses a certificate of an authority that is not approved', async () => {
    const other = await createTestAuthority()
    const leaf = await other.issue({ profile: 'authentication', publicKey: key.publicKey })
    const intermediates = [other.issuing.certificate, other.root.certificate]
    expect(() => check(leaf, { intermediates })).toThrow(untrusted)
    // The same names, another key: the other root claims to be ours.
    expect(() => check(leaf)).toThrow(untrusted)
  })

  it('refuses a certificate with an altered signature', async () => {
    const der = Buffer.from((await leafOf('authentication')).der)
    der[der.length - 1]! ^= 1
    expect(() => check(parseCertificate(der))).toThrow(untrusted)
  })

  it('refuses a leaf that acts as an authority', async () => {
    const issuer = { certificate: await leafOf('authentication'), key }
    const leaf = await authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      issuer,
    })
    const intermediates = [issuer.certificate, authority.issuing.certificate]
    expect(() => check(leaf, { intermediates })).toThrow(untrusted)
  })

  it('refuses an authority as a leaf', () => {
    expect(() => check(authority.issuing.certificate)).toThrow(untrusted)
  })

  it('refuses more authorities in a row than the path length allows', async () => {
    const below = await issuingAuthority(authority.issuing, 'below')
    const leaf = await authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      issuer: below,
    })
    const intermediates = [below.certificate, authority.issuing.certificate]
    expect(() => check(leaf, { intermediates })).toThrow(untrusted)
  })

  it('refuses a critical extension that it does not understand', async () => {
    const extensions = [...LEAF_EXTENSIONS, '1.2.3.4=critical,ASN1:UTF8String:x']
    const odd = await madeByOpenssl(authority.issuing, extensions)
    expect(odd.unknownCritical).toEqual(['1.2.3.4'])
    expect(() => check(odd, { at: odd.notBefore })).toThrow(untrusted)
    const plain = await madeByOpenssl(authority.issuing, LEAF_EXTENSIONS)
    expect(check(plain, { at: plain.notBefore })).toHaveLength(3)
  })

  it.each([
    ['that is no authority', ['basicConstraints=critical,CA:FALSE', 'keyUsage=keyCertSign']],
    ['without the right to sign', ['basicConstraints=critical,CA:TRUE', 'keyUsage=cRLSign']],
    ['that says neither', ['subjectKeyIdentifier=hash']],
    [
      'with name constraints, which nobody here would heed',
      [
        'basicConstraints=critical,CA:TRUE',
        'keyUsage=keyCertSign',
        'nameConstraints=critical,permitted;DNS:example',
      ],
    ],
  ])('refuses what was issued by a certificate %s', async (_what, extensions) => {
    const certificate = await madeByOpenssl(authority.root, extensions)
    const issuer = { certificate, key }
    const { notBefore: at } = certificate
    const leaf = await authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      issuer,
      at,
    })
    expect(() => check(leaf, { intermediates: [certificate], at })).toThrow(untrusted)
  })

  it('gives up on a thicket of authorities of one name in bounded time', async () => {
    const authorities = await Promise.all(
      Array.from({ length: 12 }, () => issuingAuthority(authority.root, 'issuing')),
    )
    const intermediates = await Promise.all(
      authorities.flatMap((issuer) =>
        authorities.map(({ certificate }) =>
          issueCertificate({
            profile: 'root-authority',
            subject: certificate.subjectDer,
            publicKey: certificate.publicKey,
            issuer,
            at: NOW,
          }),
        ),
      ),
    )
    const leaf = await authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      issuer: authorities[0]!,
    })
    let reads = 0
    const counted = Object.assign([...intermediates], {
      [Symbol.iterator]: () => {
        reads += 1
        return intermediates.values()
      },
    })
    const anchors = [(await createTestAuthority()).root.certificate]
    expect(() => check(leaf, { anchors, intermediates: counted })).toThrow(untrusted)
    expect(reads).toBeLessThan(100)
  })
})

const LEAF_EXTENSIONS = [
  'basicConstraints=CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=serverAuth,clientAuth',
]

/** A certificate for `key` that openssl signs with an issuer of ours; valid from now on. */
async function madeByOpenssl(issuer: TestIssuer, extensions: string[]): Promise<Certificate> {
  const folder = temporaryFolder()
  const pem = ({ privateKey }: KeyPair): string =>
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const files = { 'ca.pem': issuer.certificate.pem, 'ca.key': pem(issuer.key), 'own.key': pem(key) }
  writeFiles(folder, files)
  const made = await openssl(
    ['req', '-x509', '-new', '-key', join(folder, 'own.key'), '-subj', '/O=KH-TEST/CN=odd'],
    ['-CA', join(folder, 'ca.pem'), '-CAkey', join(folder, 'ca.key'), '-days', '2'],
    ['-config', '/dev/null', '-out', join(folder, 'odd.pem')],
    extensions.flatMap((extension) => ['-addext', extension]),
  )
  expect(made).toMatchObject({ exitCode: 0 })
  return parseCertificate(readFileSync(join(folder, 'odd.pem'), 'utf8'))
}

async function issuingAuthority(issuer: Issuer, commonName: string): Promise<TestIssuer> {
  const key = await generateKey('P-256')
  const certificate = await issueCertificate({
    profile: 'issuing-authority',
    subject: name(commonName),
    publicKey: key.publicKey,
    issuer,
    at: NOW,
  })
  return { certificate, key }
}
