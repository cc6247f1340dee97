import { describe, expect, it } from 'vitest'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { createCrl, parseCrl, verifyCrl } from '../../pki/crl.ts'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { createOcspResponse } from '../../pki/ocsp-response.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { verifyPath } from '../../pki/path.ts'
import { createLeaf, GATEWAY, later, NOW, outcomeOf } from './support.ts'

/** Every byte, with its lowest, its highest and all of its bits changed. */
function* everyChange(bytes: Buffer): Generator<Buffer> {
  for (let place = 0; place < bytes.length; place += 1) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(bytes)
      changed[place]! ^= mask
      yield changed
    }
  }
}

/** Reads each changed input; what is read in spite of its change must say what the original says. */
function judge<T>(der: Buffer, read: (bytes: Buffer) => T): { refused: number; read: number } {
  const original = read(der)
  const count = { refused: 0, read: 0 }
  for (const bytes of everyChange(der)) {
    const outcome = outcomeOf(() => expect(read(bytes)).toEqual(original))
    count[outcome] += 1
  }
  return count
}

describe.each(['P-256', 'RSA-2048'] as const)('one changed byte, %s', (kind) => {
  it('in a certificate is refused', async () => {
    const { authority, leaf } = await createLeaf(kind)
    const read = (bytes: Buffer): Buffer => {
      const certificate: Certificate = parseCertificate(bytes)
      verifyPath(certificate, {
        anchors: [authority.root.certificate],
        intermediates: [authority.issuing.certificate],
        at: NOW,
        purpose: 'authentication',
      })
      return certificate.signed
    }
    expect(judge(leaf.der, read).read).toBe(0)
  })

  it('in a request is refused', async () => {
    const { key } = await createLeaf(kind)
    const { der } = await createCsr({ identity: GATEWAY, key, subjectAltNames: ['localhost'] })
    expect(judge(der, (bytes) => parseCsr(bytes).subjectDer).read).toBe(0)
  })

  it('in a revocation list is refused', async () => {
    const { authority, leaf } = await createLeaf(kind)
    const { issuing: issuer } = authority
    const entry = { serial: leaf.serial, revokedAt: NOW, reason: 'superseded' } as const
    const validity = { thisUpdate: NOW, nextUpdate: later(1) }
    const der = await createCrl({ issuer, entries: [entry], number: 9, ...validity })
    const read = (bytes: Buffer) => {
      const list = parseCrl(bytes)
      verifyCrl(list, issuer.certificate, NOW)
      return list.entries
    }
    expect(judge(der, read).read).toBe(0)
  })

  it('in an OCSP answer is refused, or stands outside of what is signed', async () => {
    const { authority, leaf } = await createLeaf(kind)
    const { certificate: issuer, key } = authority.issuing
    const der = await createOcspResponse({
      entries: [{ certId: certIdOf(leaf, issuer), status: 'good' }],
      responderKey: key,
      responderCertificate: issuer,
      at: NOW,
      validityMs: 60 * 60_000,
    })
    const read = (bytes: Buffer) =>
      verifyOcspResponse(bytes, { certificate: leaf, issuer, at: NOW })
    const { refused } = judge(der, read)
    expect(refused).toBeGreaterThan(3 * (der.length - issuer.der.length))
  })
})
