import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeAsn, encodeNull, extension } from '../../pki/asn1.ts'
import { CertificateError, parseCertificate, parseCertificates } from '../../pki/certificate.ts'
import { DerError, parseDer } from '../../pki/der.ts'
import { oid, sequence } from '../../pki/der-writer.ts'
import { readExtensionList } from '../../pki/extensions.ts'
import { OID } from '../../pki/oids.ts'
import {
  alterations,
  createLeaf,
  DAY_MS,
  NOW,
  openssl,
  outcomeOf,
  temporaryFolder,
  truncations,
} from './support.ts'

describe('certificate', () => {
  it('reads what Node reads, in the same words', async () => {
    const { leaf } = await createLeaf()
    const other = new X509Certificate(leaf.der)
    expect(leaf.serial).toBe(other.serialNumber.toLowerCase().replace(/^0+/, ''))
    expect(leaf.notBefore).toEqual(other.validFromDate)
    expect(leaf.notAfter).toEqual(other.validToDate)
    expect(leaf.publicKey.equals(other.publicKey)).toBe(true)
    expect(leaf.extendedKeyUsage).toEqual(other.keyUsage)
    expect(Buffer.from(leaf.thumbprint, 'base64url').toString('hex').toUpperCase()).toBe(
      other.fingerprint256.replaceAll(':', ''),
    )
    expect(leaf.pem).toBe(other.toString())
    expect(leaf).toMatchObject({
      isCa: false,
      keyUsage: new Set(['digitalSignature']),
      subjectAltNames: ['gateway.moi.example', '127.0.0.1', '2001:db8::1'],
      ocspUrls: ['http://authority.example/ocsp'],
      caIssuersUrls: ['http://authority.example/ca/issuing.cer'],
      unknownCritical: [],
    })
  })

  it('is remembered while it is used, however many others are seen once', async () => {
    const { leaf } = await createLeaf()
    for (let other = 1; other <= 2500; other += 1) {
      // Nothing in a signature is judged when it is read.
      const der = Buffer.from(leaf.der)
      der.writeUInt16BE(other, der.length - 2)
      parseCertificate(der)
      if (other % 500 === 0) expect(parseCertificate(leaf.der)).toBe(leaf)
    }
  })

  it('gives the same object for PEM and DER of the same certificate', async () => {
    const { leaf } = await createLeaf()
    expect(parseCertificate(leaf.pem)).toBe(parseCertificate(Buffer.from(leaf.der)))
  })

  it.each([
    ['ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['rsa', ['-newkey', 'rsa:2048']],
  ])('reads a certificate that openssl made (%s)', async (_what, key) => {
    const folder = temporaryFolder()
    const file = join(folder, 'made.pem')
    const subject = ['-utf8', '-subj', '/C=KH/O=ក្រសួង/OU=GOV/CN=MOI']
    const extensions = ['keyUsage=critical,keyCertSign', 'extendedKeyUsage=1.2.3.4']
    const made = await openssl(
      ['req', '-x509', '-nodes', ...key, ...subject, '-out', file],
      ['-keyout', join(folder, 'made.key')],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    )
    expect(made.exitCode).toBe(0)
    const certificate = parseCertificate(readFileSync(file, 'utf8'))
    expect(certificate.subject).toBe('CN=MOI,OU=GOV,O=ក្រសួង,C=KH')
    expect(certificate.identity).toEqual({ instance: 'ក្រសួង', memberClass: 'GOV', member: 'MOI' })
    expect(certificate.extendedKeyUsage).toEqual(['1.2.3.4'])
    expect(certificate.isCa).toBe(true)
  })

  it('reads every certificate of a bundle, and refuses a bundle where one is asked for', async () => {
    const { leaf, authority } = await createLeaf()
    const bundle = `a comment\n${leaf.pem}\r\n${authority.root.certificate.pem}`
    expect(parseCertificates(bundle)).toEqual([leaf, authority.root.certificate])
    expect(() => parseCertificate(bundle)).toThrow(CertificateError)
    expect(() => parseCertificate('no certificate')).toThrow(CertificateError)
  })

  it('comes to a value or a known error for every truncation and every altered byte', async () => {
    const { leaf } = await createLeaf()
    for (const bytes of truncations(leaf.der)) {
      expect(outcomeOf(() => parseCertificate(bytes))).toBe('refused')
    }
    const outcomes = new Set(
      [...alterations(leaf.der)].map((bytes) => outcomeOf(() => parseCertificate(bytes))),
    )
    expect(outcomes).toEqual(new Set(['read', 'refused'])) // some bytes are values, some structure
  })

  it('refuses two signature algorithms that differ, and an extension that is repeated', async () => {
    const { leaf } = await createLeaf()
    const der = Buffer.from(leaf.der)
    const [inner, outer] = [oid(OID.ecdsaWithSha256), oid(OID.ecdsaWithSha384)]
    outer.copy(der, der.lastIndexOf(inner))
    expect(() => parseCertificate(der)).toThrow(CertificateError)

    const once = encodeAsn(extension(OID.ocspNoCheck, encodeNull()))
    expect(readExtensionList(parseDer(sequence(once))).size).toBe(1)
    expect(() => readExtensionList(parseDer(sequence(once, once)))).toThrow(DerError)
  })

  it('dates a certificate of our own five minutes back, and gives it a long random serial', async () => {
    const { leaf, authority } = await createLeaf()
    expect(leaf.notBefore.getTime()).toBe(NOW.getTime() - 5 * 60_000)
    const serials = [leaf, authority.issuing.certificate, authority.root.certificate].map(
      ({ serial }) => serial,
    )
    expect(new Set(serials).size).toBe(3)
    expect(Math.min(...serials.map(({ length }) => length))).toBeGreaterThan(24)
  })

  it('lets no certificate outlive its issuer', async () => {
    const { authority, key } = await createLeaf()
    const leaf = await authority.issue({
      profile: 'signing',
      publicKey: key.publicKey,
      lifetimeMs: 40_000 * DAY_MS,
    })
    expect(leaf.notAfter).toEqual(authority.issuing.certificate.notAfter)
    expect(leaf.extendedKeyUsage).toBeUndefined()
    expect(leaf.keyUsage).toEqual(new Set(['digitalSignature', 'contentCommitment']))
    expect(authority.root.certificate.isCa).toBe(true)
    expect(authority.root.certificate.extendedKeyUsage ?? []).not.toContain(OID.serverAuth)
  })
})
