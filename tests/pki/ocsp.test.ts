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
  responder = await delegate('ocsp-responder')
})

async function delegate(
  profile: 'ocsp-responder' | 'signing',
  issuer: Issuer = authority.issuing,
): Promise<Issuer> {
  const { publicKey } = responderKey
  const subject = name('responder')
  const certificate = await authority.issue({ profile, publicKey, subject, issuer })
  return { certificate, key: responderKey }
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
    responderKey: signer.key,
    responderCertificate: signer.certificate,
    at: at ?? NOW,
    nonce,
    validityMs: HOUR_MS,
  })
}

async function verify(
  der: Uint8Array | Promise<Uint8Array>,
  { at = NOW, nonce }: { at?: Date; nonce?: Buffer } = {},
) {
  const issuer = authority.issuing.certificate
  return verifyOcspResponse(await der, {
    certificate: leaf,
    issuer,
    at,
    ...(nonce ? { nonce } : {}),
  })
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

  it('verifies an answer of a delegated responder', async () => {
    expect(await verify(answer())).toEqual({
      status: 'good',
      thisUpdate: NOW,
      nextUpdate: new Date(NOW.getTime() + HOUR_MS),
    })
  })

  it('verifies an answer that the authority signed itself', async () => {
    expect((await verify(answer({ signer: authority.issuing }))).status).toBe('good')
  })

  it('takes no answer of the future, beyond what clocks differ by', async () => {
    const at = new Date(NOW.getTime() + 4 * 60_000)
    expect((await verify(answer({ at }))).status).toBe('good')
    const future = answer({ at: new Date(NOW.getTime() + HOUR_MS) })
    await expect(verify(future)).rejects.toThrow(statusUnknown)
  })

  it('tells when and why a certificate was revoked', async () => {
    for (const reason of ['keyCompromise', 'unspecified'] as const) {
      const revokedAt = later(-1)
      const der = await answer({ entry: { status: 'revoked', revokedAt, reason } })
      expect(await verify(der)).toMatchObject({ status: 'revoked', revokedAt, reason })
    }
  })

  it('refuses the answer that the authority does not know the certificate', async () => {
    await expect(verify(answer({ entry: { status: 'unknown' } }))).rejects.toThrow(statusUnknown)
  })

  it.each(['malformedRequest', 'internalError', 'unauthorized'] as const)(
    'refuses the error %s',
    async (status) => {
      await expect(verify(createOcspError(status))).rejects.toThrow(statusUnknown)
    },
  )

  it('refuses an answer about another certificate', async () => {
    const certificate = await authority.issue({ profile: 'signing', publicKey: leaf.publicKey })
    await expect(verify(answer({ certificate }))).rejects.toThrow(statusUnknown)
  })

  it('refuses an answer about the same serial number of another authority', async () => {
    const other = await createTestAuthority()
    const certId = certIdOf(leaf, other.issuing.certificate)
    await expect(verify(answer({ entry: { certId } }))).rejects.toThrow(statusUnknown)
  })

  it('refuses a responder of another authority', async () => {
    const other = await createTestAuthority()
    await expect(
      verify(answer({ signer: await delegate('ocsp-responder', other.issuing) })),
    ).rejects.toThrow(statusUnknown)
    await expect(verify(answer({ signer: other.issuing }))).rejects.toThrow(statusUnknown)
  })

  it('refuses a responder that the root delegated, not the issuing authority', async () => {
    await expect(
      verify(answer({ signer: await delegate('ocsp-responder', authority.root) })),
    ).rejects.toThrow(statusUnknown)
  })

  it('refuses a member that signs answers with its own certificate', async () => {
    await expect(verify(answer({ signer: await delegate('signing') }))).rejects.toThrow(
      statusUnknown,
    )
  })

  it('refuses a signature made with another key than the named responder', async () => {
    const key = await generateKey('P-256')
    await expect(verify(answer({ signer: { ...responder, key } }))).rejects.toThrow(statusUnknown)
  })

  it('refuses a responder whose certificate has ended', async () => {
    await expect(verify(answer({ at: later(31) }), { at: later(31) })).rejects.toThrow(
      statusUnknown,
    )
  })

  it('bears clocks that differ by five minutes, and not more', async () => {
    const minutes = (n: number) => ({ at: new Date(NOW.getTime() + n * 60_000) })
    for (const n of [-5, 0, 60, 65])
      expect((await verify(answer(), minutes(n))).status).toBe('good')
    for (const n of [-6, 66])
      await expect(verify(answer(), minutes(n))).rejects.toThrow(statusUnknown)
  })

  it('refuses an answer without the nonce that was sent', async () => {
    const nonce = randomBytes(32)
    expect((await verify(answer({ nonce }), { nonce })).status).toBe('good')
    await expect(verify(answer(), { nonce })).rejects.toThrow(statusUnknown)
    await expect(verify(answer({ nonce: randomBytes(32) }), { nonce })).rejects.toThrow(
      statusUnknown,
    )
  })

  it('refuses every truncation of an answer', async () => {
    for (const bytes of truncations(await answer()))
      await expect(verify(bytes)).rejects.toThrow(statusUnknown)
  })

  it('never turns an altered answer into another state', async () => {
    for (const bytes of alterations(await answer({ entry: { status: 'unknown' } }))) {
      await expect(verify(bytes)).rejects.toThrow(statusUnknown)
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
