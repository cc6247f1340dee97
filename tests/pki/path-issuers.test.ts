import { beforeAll, describe, expect, it } from 'vitest'
import { decodeAsn, encodeAsn } from '../../pki/asn1.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { signCertificate, type Issuer, type IssueRequest } from '../../pki/issue.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { signerOf, verifyPath } from '../../pki/path.ts'
import { buildToBeSigned } from '../../pki/to-be-signed.ts'
import { Extensions, TBSCertificate } from '@peculiar/asn1-x509'
import { createTestAuthority, name, NOW, type TestAuthority } from './support.ts'

const untrusted = expect.objectContaining({ code: 'certificate.untrusted' }) as Error
const issuerMissing = expect.objectContaining({ code: 'certificate.issuer-missing' }) as Error

let authority: TestAuthority
let key: KeyPair
let leaf: Certificate
beforeAll(async () => {
  authority = await createTestAuthority()
  key = await generateKey('P-256')
  leaf = await authority.issue({ profile: 'authentication', publicKey: key.publicKey })
})

const check = (
  certificate: Certificate,
  intermediates: readonly Certificate[],
  anchors = [authority.root.certificate],
): Certificate[] =>
  verifyPath(certificate, { anchors, intermediates, at: NOW, purpose: 'authentication' })

type Order = Pick<IssueRequest, 'profile' | 'subject' | 'publicKey' | 'issuer'>

/** A certificate without key identifiers, as authorities of the nineties made them. */
async function issueWithoutKeyIds(order: Order): Promise<Certificate> {
  const built = decodeAsn(buildToBeSigned({ at: NOW, ...order }), TBSCertificate)
  const ids: readonly string[] = [OID.subjectKeyIdentifier, OID.authorityKeyIdentifier]
  built.extensions = new Extensions(
    built.extensions?.filter(({ extnID }) => !ids.includes(extnID)) ?? [],
  )
  return await signCertificate(encodeAsn(built), order.issuer)
}

it('the signer is told from authorities of the same name by what it signed', async () => {
  const other = await createTestAuthority()
  const mine = authority.issuing.certificate
  const namesake = other.issuing.certificate
  expect(namesake.subjectDer).toEqual(mine.subjectDer)
  expect(signerOf(leaf, [namesake, mine])).toBe(mine)
  expect(signerOf(leaf, [namesake])).toBeUndefined()
})

describe('path', () => {
  it('names the issuing certificate that is not at hand', () => {
    const verify = () => check(leaf, [])
    expect(verify).toThrow(issuerMissing)
    expect(verify).toThrow('the certificate of its issuer CN=issuing,O=KH-TEST')
    expect(verify).toThrow(authority.issuing.certificate.subjectKeyId!.toString('hex'))
  })

  it('calls a root untrusted that is not approved, whether it is shown or not', async () => {
    const { publicKey } = key
    const [rootKey, issuingKey] = [await generateKey('P-256'), await generateKey('P-256')]
    const root = {
      key: rootKey,
      certificate: await authority.issue({
        profile: 'root-authority',
        subject: name('another root'),
        publicKey: rootKey.publicKey,
        issuer: { key: rootKey },
      }),
    }
    const certificate = await authority.issue({
      profile: 'issuing-authority',
      subject: name('another authority'),
      publicKey: issuingKey.publicKey,
      issuer: root,
    })
    const issuer = { key: issuingKey, certificate }
    const theirs = await authority.issue({ profile: 'authentication', publicKey, issuer })
    for (const shown of [[certificate], [certificate, root.certificate]]) {
      expect(() => check(theirs, shown)).toThrow(untrusted)
      expect(() => check(theirs, shown)).toThrow('CN=another root')
    }
    expect(() => check(theirs, [])).toThrow(issuerMissing)
  })

  it('calls a certificate untrusted that was signed with its own key', async () => {
    const selfMade = await authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      issuer: { key },
    })
    expect(() => check(selfMade, [])).toThrow(untrusted)
  })

  describe.each([
    ['with key identifiers', (order: Order) => authority.issue(order)],
    ['without key identifiers', issueWithoutKeyIds],
  ])('of two issuing authorities with one name, %s', (_what, issue) => {
    let twins: (Issuer & { leaf: Certificate })[]
    beforeAll(async () => {
      twins = await Promise.all(
        [1, 2].map(async () => {
          const own = await generateKey('P-256')
          const { publicKey } = own
          const profile = 'issuing-authority'
          const subject = name('twin')
          const certificate = await issue({ profile, subject, publicKey, issuer: authority.root })
          const issuer = { certificate, key: own }
          const of = { profile: 'authentication', subject: name('leaf'), issuer } as const
          return { ...issuer, leaf: await issue({ ...of, publicKey: key.publicKey }) }
        }),
      )
    })

    it('leads through the one that signed, in whatever order they are known', () => {
      const certificates = twins.map(({ certificate }) => certificate)
      for (const twin of twins) {
        for (const known of [certificates, certificates.toReversed()]) {
          const path = [twin.leaf, twin.certificate, authority.root.certificate]
          expect(check(twin.leaf, known)).toEqual(path)
          expect(check(twin.leaf, [], known)).toEqual(path.slice(0, 2))
        }
      }
    })

    it('is refused when only the other one is known', () => {
      const [one, other] = twins
      expect(() => check(one!.leaf, [other!.certificate])).toThrow(untrusted)
    })
  })
})
