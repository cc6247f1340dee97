import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../pki/certificate.ts'
import { DerError } from '../../pki/der.ts'
import type { Issuer } from '../../pki/issue.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { createOcspRequest, parseOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError, createOcspResponse, type OcspEntry } from '../../pki/ocsp-response.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import {
  alterations,
  createLeaf,
  createTestAuthority,
  later,
  name,
  NOW,
  outcomeOf,
  truncations,
  type TestAuthority,
} from './support.ts'

const HOUR_MS = 60 * 60_000
const statusUnknown = expect.objectContaining({ code: 'certificate.status-unknown' }) as Error

let authority: TestAuthority
let leaf: Certificate
let responderKey: KeyPair
let responder: Issuer
beforeAll(async () => {
  ;({ authority, leaf } = await createLeaf())
  responderKey = await generateKey('P-256')
  responder = delegate('ocsp-responder')
})

function delegate(profile: 'ocsp-responder' | 'signing', issuer = authority.issuing): Issuer {
  const { publicKey, privateKey } = responderKey
  const subject = name('responder')
  return { certificate: authority.issue({ profile, publicKey, subject, issuer }), privateKey }
}

interface AnswerOptions {
  readonly signer?: Issuer
  readonly entry?: Partial<OcspEntry>
  readonly certificate?: Certificate
  readonly nonce?: Buffer
  readonly at?: Date
}

function answer({ signer = responder, entry, certificate = leaf, nonce, at }: AnswerOptions = {}) {
  const certId = certIdOf(certificate, authority.issuing.certificate)
  return createOcspResponse({
    entries: [{ certId, status: 'good', ...entry } as OcspEntry],
    responderKey: signer.privateKey,
    responderCertificate: signer.certificate,
    at: at ?? NOW,
    nonce,
    validityMs: HOUR_MS,
  })
}

function verify(der: Uint8Array, { at = NOW, nonce }: { at?: Date; nonce?: Buffer } = {}) {
  const issuer = authority.issuing.certificate
  return verifyOcspResponse(der, { certificate: leaf, issuer, at, ...(nonce ? { nonce } : {}) })
}

describe('ocsp', () => {
  it('asks about a certificate by SHA-1 and SHA-256, with and without a nonce', () => {
    for (const hash of ['sha1', 'sha256'] as const) {
      for (const nonce of [undefined, randomBytes(32)]) {
        const options = { hash, ...(nonce ? { nonce } : {}) }
        const request = createOcspRequest(leaf, authority.issuing.certificate, options)
        const { certIds, nonce: asked } = parseOcspRequest(request)
        expect(certIds).toMatchObject([{ hash, serial: leaf.serial }])
        expect(asked).toEqual(nonce)
      }
    }
  })

  it.each([0, 129])('refuses a nonce of %i bytes', (size) => {
    const nonce = randomBytes(size)
    const request = createOcspRequest(leaf, authority.issuing.certificate, { nonce })
    expect(() => parseOcspRequest(request)).toThrow(DerError)
  })

  it('verifies an answer of a delegated responder', () => {
    expect(verify(answer())).toEqual({
      status: 'good',
      thisUpdate: NOW,
      nextUpdate: new Date(NOW.getTime() + HOUR_MS),
    })
  })

  it('verifies an answer that the authority signed itself', () => {
    expect(verify(answer({ signer: authority.issuing })).status).toBe('good')
  })

  it('tells when and why a certificate was revoked', () => {
    for (const reason of ['keyCompromise', 'unspecified'] as const) {
      const revokedAt = later(-1)
      const der = answer({ entry: { status: 'revoked', revokedAt, reason } })
      expect(verify(der)).toMatchObject({ status: 'revoked', revokedAt, reason })
    }
  })

  it('refuses the answer that the authority does not know the certificate', () => {
    expect(() => verify(answer({ entry: { status: 'unknown' } }))).toThrow(statusUnknown)
  })

  it.each(['malformedRequest', 'internalError', 'unauthorized'] as const)(
    'refuses the error %s',
    (status) => {
      expect(() => verify(createOcspError(status))).toThrow(statusUnknown)
    },
  )

  it('refuses an answer about another certificate', () => {
    const certificate = authority.issue({ profile: 'signing', publicKey: leaf.publicKey })
    expect(() => verify(answer({ certificate }))).toThrow(statusUnknown)
  })

  it('refuses an answer about the same serial number of another authority', async () => {
    const other = await createTestAuthority()
    const certId = certIdOf(leaf, other.issuing.certificate)
    expect(() => verify(answer({ entry: { certId } }))).toThrow(statusUnknown)
  })

  it('refuses a responder of another authority', async () => {
    const other = await createTestAuthority()
    expect(() => verify(answer({ signer: delegate('ocsp-responder', other.issuing) }))).toThrow(
      statusUnknown,
    )
    expect(() => verify(answer({ signer: other.issuing }))).toThrow(statusUnknown)
  })

  it('refuses a responder that the root delegated, not the issuing authority', () => {
    expect(() => verify(answer({ signer: delegate('ocsp-responder', authority.root) }))).toThrow(
      statusUnknown,
    )
  })

  it('refuses a member that signs answers with its own certificate', () => {
    expect(() => verify(answer({ signer: delegate('signing') }))).toThrow(statusUnknown)
  })

  it('refuses a signature made with another key than the named responder', async () => {
    const { privateKey } = await generateKey('P-256')
    expect(() => verify(answer({ signer: { ...responder, privateKey } }))).toThrow(statusUnknown)
  })

  it('refuses a responder whose certificate has ended', () => {
    expect(() => verify(answer({ at: later(31) }), { at: later(31) })).toThrow(statusUnknown)
  })

  it('bears clocks that differ by five minutes, and not more', () => {
    const minutes = (n: number) => ({ at: new Date(NOW.getTime() + n * 60_000) })
    for (const n of [-5, 0, 60, 65]) expect(verify(answer(), minutes(n)).status).toBe('good')
    for (const n of [-6, 66]) expect(() => verify(answer(), minutes(n))).toThrow(statusUnknown)
  })

  it('refuses an answer without the nonce that was sent', () => {
    const nonce = randomBytes(32)
    expect(verify(answer({ nonce }), { nonce }).status).toBe('good')
    expect(() => verify(answer(), { nonce })).toThrow(statusUnknown)
    expect(() => verify(answer({ nonce: randomBytes(32) }), { nonce })).toThrow(statusUnknown)
  })

  it('refuses every truncation of an answer', () => {
    for (const bytes of truncations(answer())) expect(() => verify(bytes)).toThrow(statusUnknown)
  })

  it('never turns an altered answer into another state', () => {
    for (const bytes of alterations(answer({ entry: { status: 'unknown' } }))) {
      expect(() => verify(bytes)).toThrow(statusUnknown)
    }
  })

  it('comes to a value or a known error for every altered request', () => {
    const nonce = randomBytes(16)
    const request = createOcspRequest(leaf, authority.issuing.certificate, { nonce })
    for (const bytes of truncations(request)) {
      expect(outcomeOf(() => parseOcspRequest(bytes))).toBe('refused')
    }
    for (const bytes of alterations(request)) outcomeOf(() => parseOcspRequest(bytes))
  })
})
