/** Made the files in seeds/ once: `node tests/fuzz/make-seeds.ts`. No private key is kept. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCrl } from '../../pki/crl.ts'
import { createCsr } from '../../pki/csr.ts'
import { encodeName } from '../../pki/distinguished-name.ts'
import { subjectOf } from '../../pki/identity.ts'
import { issueCertificate } from '../../pki/issue.ts'
import { generateKey } from '../../pki/keys.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspResponse } from '../../pki/ocsp-response.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { OID } from '../../pki/oids.ts'
import { createCertsOnly } from '../../pki/pkcs7.ts'

const at = new Date('2026-03-01T08:00:00Z')
const hour = (n: number): Date => new Date(at.getTime() + n * 60 * 60_000)
const identity = { instance: 'KH-TEST', memberClass: 'GOV', member: 'ក្រសួង', gateway: 'MOI-1' }
const named = (value: string): Buffer => encodeName([{ type: OID.commonName, value }])
const write = (file: string, der: Uint8Array): void =>
  writeFileSync(join(import.meta.dirname, 'seeds', `${file}.der`), der)

const [rootKey, issuingKey, responderKey, key, rsa] = await Promise.all([
  generateKey('P-256'),
  generateKey('P-256'),
  generateKey('P-256'),
  generateKey('P-256'),
  generateKey('RSA-2048'),
])
const rootCertificate = await issueCertificate({
  profile: 'root-authority',
  subject: named('root'),
  publicKey: rootKey.publicKey,
  issuer: { key: rootKey },
  at,
})
const root = { certificate: rootCertificate, key: rootKey }
const issuingCertificate = await issueCertificate({
  profile: 'issuing-authority',
  subject: named('issuing'),
  publicKey: issuingKey.publicKey,
  issuer: root,
  at,
})
const issuer = { certificate: issuingCertificate, key: issuingKey }
const leaf = await issueCertificate({
  profile: 'authentication',
  subject: subjectOf(identity),
  publicKey: key.publicKey,
  issuer,
  at,
  subjectAltNames: ['gateway.example', '10.0.0.7', '2001:db8::1'],
  ocspUrl: 'http://authority.example/ocsp',
  caIssuersUrl: 'http://authority.example/ca/authentication.cer',
  crlUrl: 'http://authority.example/crl/authentication.crl',
})
const responderCertificate = await issueCertificate({
  profile: 'ocsp-responder',
  subject: named('responder'),
  publicKey: responderKey.publicKey,
  issuer,
  at,
})
write('certificate-root', root.certificate.der)
write('certificate-issuing', issuer.certificate.der)
write('certificate-leaf', leaf.der)
write('csr-ec', (await createCsr({ identity, key, subjectAltNames: ['gateway.example'] })).der)
write('csr-rsa', (await createCsr({ identity, key: rsa })).der)
const nonce = Buffer.alloc(32, 7)
write('ocsp-request-plain', createOcspRequest(leaf, issuer.certificate))
write('ocsp-request-nonce', createOcspRequest(leaf, issuer.certificate, { nonce, hash: 'sha256' }))
const certId = certIdOf(leaf, issuer.certificate)
const answer = { responderKey, responderCertificate, at, validityMs: 4 * 60 * 60_000 }
const revoked = { certId, status: 'revoked', revokedAt: at, reason: 'keyCompromise' } as const
write(
  'ocsp-response-good',
  await createOcspResponse({ ...answer, entries: [{ certId, status: 'good' }], nonce }),
)
write('ocsp-response-revoked', await createOcspResponse({ ...answer, entries: [revoked] }))
const entries = [
  { serial: 'f00d', revokedAt: at, reason: 'keyCompromise' },
  { serial: '7f', revokedAt: at, reason: 'unspecified' },
] as const
write(
  'crl-entries',
  await createCrl({ issuer, entries, number: 7, thisUpdate: at, nextUpdate: hour(48) }),
)
write(
  'crl-empty',
  await createCrl({ issuer: root, entries: [], number: 1, thisUpdate: at, nextUpdate: hour(48) }),
)
write('pkcs7-chain', createCertsOnly([leaf, issuer.certificate, root.certificate]))

const folder = mkdtempSync(join(tmpdir(), 'spean-seeds-'))
const file = (name: string): string => join(folder, name)
const openssl = (...args: string[]): void =>
  void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
const newKey = ['-nodes', '-newkey', 'rsa:2048', '-keyout', 'own.key', '-utf8', '-outform', 'DER']
const names = 'subjectAltName=DNS:a.example,IP:10.0.0.7,email:a@example.org,URI:http://a.example'
openssl(
  'req',
  '-new',
  ...newKey,
  '-subj',
  '/C=LA/O=ກະຊວງ/CN=a',
  '-addext',
  'subjectAltName=DNS:a.example',
  '-out',
  'csr.der',
)
openssl(
  'req',
  '-x509',
  ...newKey,
  '-subj',
  '/C=KH/O=ក/CN=b+serialNumber=1',
  '-multivalue-rdn',
  '-addext',
  names,
  '-addext',
  'certificatePolicies=1.2.3.4',
  '-addext',
  'nameConstraints=permitted;DNS:example',
  '-out',
  'certificate.der',
)
openssl('x509', '-in', 'certificate.der', '-out', 'certificate.pem')
writeFileSync(file('index.txt'), '')
writeFileSync(
  file('ca.cnf'),
  '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=3\ncrl_extensions=ext\n[ext]\nissuingDistributionPoint=critical,@part\n[part]\nonlyuser=TRUE\n',
)
openssl(
  'ca',
  '-gencrl',
  '-config',
  'ca.cnf',
  '-cert',
  'certificate.pem',
  '-keyfile',
  'own.key',
  '-out',
  'crl.pem',
)
openssl('crl', '-in', 'crl.pem', '-outform', 'DER', '-out', 'crl.der')
openssl(
  'crl2pkcs7',
  '-in',
  'crl.pem',
  '-certfile',
  'certificate.pem',
  '-outform',
  'DER',
  '-out',
  'pkcs7.der',
)
openssl('ocsp', '-issuer', 'certificate.pem', '-serial', '0x123456', '-reqout', 'ocsp-request.der')
openssl(
  'ocsp',
  '-index',
  'index.txt',
  '-CA',
  'certificate.pem',
  '-rsigner',
  'certificate.pem',
  '-rkey',
  'own.key',
  '-reqin',
  'ocsp-request.der',
  '-respout',
  'ocsp-response.der',
  '-ndays',
  '1',
)
for (const name of ['csr', 'certificate', 'crl', 'pkcs7', 'ocsp-request', 'ocsp-response']) {
  write(`${name}-openssl`, readFileSync(file(`${name}.der`)))
}
rmSync(folder, { recursive: true })
