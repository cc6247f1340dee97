import { beforeAll, describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { createCrl, parseCrl } from '../../pki/crl.ts'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { DerError } from '../../pki/der.ts'
import { createOcspRequest, parseOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspResponse } from '../../pki/ocsp-response.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { createCertsOnly, parseCertsOnly } from '../../pki/pkcs7.ts'
import { DER_FAULTS } from '../support/hostile-der.ts'
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

describe.each(NAMES)('%s', (name) => {
  it.each(DER_FAULTS)('%s is refused as %s', (_what, code, spoil) => {
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
