/** Certificates, requests and OCSP answers a second: our own reader beside the library's. `node bench/pki-codecs.ts` */
import { readFileSync } from 'node:fs'
import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicOCSPResponse, OCSPResponse } from '@peculiar/asn1-ocsp'
import { Certificate, TBSCertificate } from '@peculiar/asn1-x509'
import { parseCertificate, parseToBeSigned } from '../pki/certificate.ts'
import { parseDer } from '../pki/der.ts'
import { issueCertificate } from '../pki/issue.ts'
import { generateKey } from '../pki/keys.ts'
import { certIdOf } from '../pki/ocsp-cert-id.ts'
import { createOcspResponse } from '../pki/ocsp-response.ts'
import { verifyOcspResponse } from '../pki/ocsp-verify.ts'

const seed = (file: string): Buffer => readFileSync(`tests/fuzz/seeds/${file}.der`)
const leaf = seed('certificate-leaf')
const toBeSigned = Buffer.from(parseDer(leaf).children[0]!.encoded)
const answer = seed('ocsp-response-good')
const certificate = parseCertificate(leaf)
const issuer = parseCertificate(seed('certificate-issuing'))
const at = new Date(certificate.notBefore.getTime() + 60 * 60_000)

async function measure(what: string, work: () => unknown): Promise<void> {
  for (let warmUp = 0; warmUp < 500; warmUp += 1) await work()
  const start = process.cpuUsage()
  let count = 0
  let seconds = 0
  for (; seconds < 2; count += 1) {
    await work()
    if (count % 100 === 0) seconds = cpuSeconds(start)
  }
  process.stdout.write(`${what.padEnd(60)} ${Math.round(count / seconds)} a second\n`)
}

function cpuSeconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

await measure('DER tree of a certificate, own', () => parseDer(leaf))
await measure('certificate with its extensions and key, own', () => parseToBeSigned(toBeSigned))
await measure('certificate that was seen before, own', () => parseCertificate(leaf))
await measure('certificate without extensions and key, library', () =>
  AsnConvert.parse(leaf, Certificate),
)
await measure('the part that is signed, library', () =>
  AsnConvert.parse(toBeSigned, TBSCertificate),
)
await measure('OCSP answer, verified, own', () =>
  verifyOcspResponse(answer, { certificate, issuer, at }),
)
await measure('OCSP answer, not verified, library', () => {
  const { responseBytes } = AsnConvert.parse(answer, OCSPResponse)
  return AsnConvert.parse(responseBytes!.response.buffer, BasicOCSPResponse)
})

const key = await generateKey('P-256')
const certId = certIdOf(certificate, issuer)
await measure('OCSP answer, written and signed by the library, P-256', () =>
  createOcspResponse({
    entries: [{ certId, status: 'good' }],
    responderKey: key,
    responderCertificate: issuer,
    at,
    validityMs: 60_000,
  }),
)
await measure('certificate, built by the library, checked, signed, P-256', () =>
  issueCertificate({
    profile: 'authentication',
    subject: certificate.subjectDer,
    publicKey: certificate.publicKey,
    issuer: { certificate: issuer, key },
    at,
  }),
)
