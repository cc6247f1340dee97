import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { createCrl } from '../../pki/crl.ts'
import { createCsr } from '../../pki/csr.ts'
import { exportSpki, generateKey } from '../../pki/keys.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { toPem } from '../../pki/pem.ts'
import { createCertsOnly } from '../../pki/pkcs7.ts'
import { recogniseDer, recogniseLabel } from '../../pki/recognise.ts'
import { createLeaf, GATEWAY, later, NOW, openssl, temporaryFolder, writeFiles } from './support.ts'

const WHAT = [
  'a certificate revocation list',
  'a certificate request (PKCS#10)',
  'a bundle of certificates (PKCS#7)',
  'a key store (PKCS#12)',
  'an OCSP answer',
  'a private key',
  'an encrypted private key',
  'a public key',
] as const

type Samples = Record<(typeof WHAT)[number], Buffer[]>

let made: Promise<Samples> | undefined
const samples = (): Promise<Samples> => (made ??= makeSamples())

async function makeSamples(): Promise<Samples> {
  const { authority, key, leaf } = await createLeaf()
  const { privateKey, publicKey } = key
  const rsa = await generateKey('RSA-2048')
  const folder = temporaryFolder()
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFiles(folder, { 'leaf.pem': leaf.pem, 'leaf.key': pem })
  const store = join(folder, 'leaf.p12')
  await openssl(
    ['pkcs12', '-export', '-in', join(folder, 'leaf.pem'), '-inkey', join(folder, 'leaf.key')],
    ['-passout', 'pass:x', '-out', store],
  )
  const validity = { thisUpdate: NOW, nextUpdate: later(1) }
  const locked = { cipher: 'aes-256-cbc', passphrase: 'x' }
  return {
    'a certificate revocation list': [
      await createCrl({ issuer: authority.issuing, entries: [], number: 1, ...validity }),
    ],
    'a certificate request (PKCS#10)': [(await createCsr({ identity: GATEWAY, key })).der],
    'a bundle of certificates (PKCS#7)': [createCertsOnly([leaf])],
    'a key store (PKCS#12)': [readFileSync(store)],
    'an OCSP answer': [createOcspError('internalError')],
    'a private key': [
      privateKey.export({ type: 'pkcs8', format: 'der' }),
      privateKey.export({ type: 'sec1', format: 'der' }),
      rsa.privateKey.export({ type: 'pkcs1', format: 'der' }),
    ],
    'an encrypted private key': [privateKey.export({ type: 'pkcs8', format: 'der', ...locked })],
    'a public key': [exportSpki(publicKey), rsa.publicKey.export({ type: 'pkcs1', format: 'der' })],
  }
}

describe('in place of a certificate', () => {
  it.each(WHAT)('%s is refused by its name', async (what) => {
    for (const der of (await samples())[what]) {
      expect(recogniseDer(der)).toBe(what)
      const named = expect.objectContaining({
        code: 'certificate.malformed',
        message: `this is not a certificate, it is ${what}`,
      }) as Error
      expect(() => parseCertificate(der)).toThrow(named)
    }
  })

  it.each([
    ['X509 CRL', 'a certificate revocation list'],
    ['NEW CERTIFICATE REQUEST', 'a certificate request (PKCS#10)'],
    ['PKCS7', 'a bundle of certificates (PKCS#7)'],
    ['RSA PRIVATE KEY', 'a private key'],
    ['ENCRYPTED PRIVATE KEY', 'an encrypted private key'],
    ['PUBLIC KEY', 'a public key'],
  ])('a PEM block of %s is refused by its name', (label, what) => {
    expect(recogniseLabel(label)).toBe(what)
    const pem = toPem('CERTIFICATE', Buffer.of(5, 0)).replaceAll('CERTIFICATE', label)
    const named = expect.objectContaining({
      code: 'certificate.malformed',
      message: `the text holds ${what} and no CERTIFICATE`,
    }) as Error
    expect(() => parseCertificate(pem)).toThrow(named)
  })

  it('what is none of these is told by what is wrong in it', () => {
    const malformed = expect.objectContaining({ code: 'encoding.malformed' }) as Error
    const cut = expect.objectContaining({ code: 'encoding.truncated' }) as Error
    expect(() => parseCertificate(Buffer.from('3004020101', 'hex'))).toThrow(cut)
    expect(() => parseCertificate(Buffer.from('3003020101', 'hex'))).toThrow(malformed)
  })
})
