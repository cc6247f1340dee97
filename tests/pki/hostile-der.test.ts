import { beforeAll, describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { createCrl, parseCrl } from '../../pki/crl.ts'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { DerError } from '../../pki/der.ts'
import { encode, sequence } from '../../pki/der-writer.ts'
import { createOcspRequest, parseOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspResponse } from '../../pki/ocsp-response.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { createCertsOnly, parseCertsOnly } from '../../pki/pkcs7.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { createLeaf, GATEWAY, later, NOW } from './support.ts'

interface Subject {
  readonly der: Buffer
  readonly read: (der: Buffer) => unknown
}

const NAMES = ['CSR', 'certificate', 'OCSP request', 'OCSP answer', 'CRL', 'PKCS#7'] as const
let subjects: Record<(typeof NAMES)[number], Subject>
beforeAll(async () => {
  const { authority, key, leaf } = await createLeaf()
  const { issuing } = authority
  const certId = certIdOf(leaf, issuing.certificate)
  const answer = await createOcspResponse({
    entries: [{ certId, status: 'good' }],
    responderKey: issuing.key,
    responderCertificate: issuing.certificate,
    at: NOW,
    validityMs: 60_000,
  })
  const list = { issuer: issuing, entries: [], number: 1, thisUpdate: NOW, nextUpdate: later(1) }
  subjects = {
    CSR: { der: (await createCsr({ identity: GATEWAY, key })).der, read: parseCsr },
    certificate: { der: leaf.der, read: parseCertificate },
    'OCSP request': { der: createOcspRequest(leaf, issuing.certificate), read: parseOcspRequest },
    'OCSP answer': { der: answer, read: readAnswer },
    CRL: { der: await createCrl(list), read: parseCrl },
    'PKCS#7': { der: createCertsOnly([leaf]), read: parseCertsOnly },
  }

  /** One code leaves this reader, whatever the fault; the fault is its cause. */
  function readAnswer(der: Buffer): void {
    try {
      verifyOcspResponse(der, { certificate: leaf, issuer: issuing.certificate, at: NOW })
    } catch (error) {
      throw (error as { cause: unknown }).cause
    }
  }
})

/** Where the content begins behind the outermost length. */
const contentStart = (der: Buffer): number => (der[1]! < 0x80 ? 2 : 2 + der[1]! - 0x80)

/** The outermost length with one octet more than it needs. */
function padded(der: Buffer): Buffer {
  const start = contentStart(der)
  const octets = start === 2 ? [der[1]!] : [0, ...der.subarray(2, start)]
  return Buffer.concat([Buffer.of(der[0]!, 0x80 | octets.length, ...octets), der.subarray(start)])
}

const indefinite = (der: Buffer): Buffer =>
  Buffer.concat([Buffer.of(der[0]!, 0x80), der.subarray(contentStart(der)), Buffer.alloc(2)])

/** Sequences in one another, from the inside out. */
function nested(levels: number): Buffer {
  const heads: Buffer[] = []
  for (let length = 0; heads.length < levels; length += heads.at(-1)!.length) {
    heads.push(head(length))
  }
  return Buffer.concat(heads.toReversed())
}

function head(length: number): Buffer {
  if (length < 0x80) return Buffer.of(0x30, length)
  const octets = Buffer.from(length.toString(16).padStart(6, '0'), 'hex')
  const minimal = octets.subarray(octets.findIndex((octet) => octet > 0))
  return Buffer.concat([Buffer.of(0x30, 0x80 | minimal.length), minimal])
}

const FAULTS: [what: string, ErrorCode, (der: Buffer) => Buffer][] = [
  ['nothing', 'encoding.truncated', () => Buffer.alloc(0)],
  ['that is cut in half', 'encoding.truncated', (der) => der.subarray(0, der.length / 2)],
  ['without its last byte', 'encoding.truncated', (der) => der.subarray(0, -1)],
  ['with a byte behind it', 'encoding.trailing-bytes', (der) => Buffer.concat([der, Buffer.of(0)])],
  ['twice', 'encoding.trailing-bytes', (der) => Buffer.concat([der, der])],
  ['with a padded length', 'encoding.not-minimal', padded],
  ['of indefinite length', 'encoding.not-minimal', indefinite],
  ['nested too deep', 'encoding.too-deep', () => nested(40)],
  ['nested three thousand times', 'encoding.too-deep', () => nested(3_000)],
  [
    'of four gigabytes, it says',
    'encoding.truncated',
    () => Buffer.from('3084ffffffff3000', 'hex'),
  ],
  [
    'with a length of nine octets',
    'encoding.too-large',
    () => Buffer.from('3089' + '01'.repeat(9), 'hex'),
  ],
  ['of many megabytes', 'encoding.too-large', () => encode(0x30, Buffer.alloc(17 * 1024 * 1024))],
  ['of the right shape and nothing in it', 'encoding.malformed', () => sequence()],
  ['that is no sequence', 'encoding.malformed', () => Buffer.from('0101ff', 'hex')],
]

describe.each(NAMES)('%s', (name) => {
  it.each(FAULTS)('%s is refused as %s', (_what, code, spoil) => {
    const { der, read } = subjects[name]
    const spoilt = spoil(der)
    // A DerError, or what it was wrapped into: the code is the same.
    expect(() => read(spoilt)).toThrow(expect.objectContaining({ code }) as Error)
  })

  it('is read as it was written', () => {
    const { der, read } = subjects[name]
    expect(() => read(der)).not.toThrow(DerError)
  })
})
