import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign, compactVerify, type JWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  algorithmOf,
  parseJws,
  SIGNATURE_ALGORITHMS,
  signJws,
  verifyJws,
  type ManifestHeader,
  type SignatureAlgorithm,
} from '../../protocol/jws.ts'
import { outcome, readVectors } from './support.ts'

interface Vectors {
  readonly keys: Record<string, JWK>
  readonly cases: {
    readonly comment: string
    readonly key: string
    readonly jws: string
    readonly code: string | null
    readonly payload?: string
  }[]
}
const vectors = readVectors<Vectors>('jws')
const publicKeys = new Map(
  Object.entries(vectors.keys).map(([name, key]) => [
    name,
    createPublicKey({ key: key as object, format: 'jwk' } as never),
  ]),
)

describe('parseJws and verifyJws', () => {
  it.each(vectors.cases)('$comment', ({ key, jws, code, payload }) => {
    const read = outcome(() => {
      const parsed = parseJws(jws)
      verifyJws(parsed, publicKeys.get(key)!)
      return parsed.payload.toString('utf8')
    })
    expect(read).toEqual(code === null ? { value: payload } : { code })
  })

  it('are tested with public keys only', () => {
    for (const key of Object.values(vectors.keys)) expect(key).not.toHaveProperty('d')
  })

  it('never crash, whatever stands in the three parts', () => {
    const part = fc.oneof(
      fc.base64String().map((text) => text.replaceAll(/=/g, '').replaceAll('+', '-')),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc.string({ unit: 'binary' }),
    )
    const jws = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 4 }).map((p) => p.join('.')),
    )
    fc.assert(
      fc.property(jws, (text) => {
        expect(outcome(() => parseJws(text))).toEqual({ code: 'manifest.malformed' })
      }),
      { numRuns: 1000 },
    )
  })

  it('never crash on any signature', () => {
    const parsed = parseJws(vectors.cases.find(({ code }) => code === null)!.jws)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ minLength: 64, maxLength: 64 }),
    )
    fc.assert(
      fc.property(bytes, fc.constantFrom(...SIGNATURE_ALGORITHMS), (signature, alg) => {
        const other = {
          ...parsed,
          header: { ...parsed.header, alg },
          signature: Buffer.from(signature),
        }
        for (const key of ['ec', 'ed25519', 'rsa']) {
          expect(outcome(() => verifyJws(other, publicKeys.get(key)!))).toEqual({
            code: 'manifest.signature-invalid',
          })
        }
      }),
    )
  })
})

interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}
const headerWith = (alg: SignatureAlgorithm): ManifestHeader => ({
  alg,
  iat: 1772409600,
  kid: 'CAMBODIA/GOV/ប្រជាជន',
  'x5t#S256': 'l3pFlgKTmwulcqIESZZSEFY6PcLcEMaZPOn43MUnSgM',
})

describe('a signed manifest', () => {
  const pairs = new Map<SignatureAlgorithm, Pair>()
  beforeAll(() => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    pairs.set('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    pairs.set('EdDSA', generateKeyPairSync('ed25519'))
    pairs.set('PS256', rsa)
    pairs.set('RS256', rsa)
  })

  it.each(SIGNATURE_ALGORITHMS)('made here with %s verifies with jose', async (alg) => {
    const { privateKey, publicKey } = pairs.get(alg)!
    const jws = signJws(headerWith(alg), '{"ក":1}', privateKey)
    const { payload, protectedHeader } = await compactVerify(jws, publicKey, { algorithms: [alg] })
    expect(Buffer.from(payload).toString('utf8')).toBe('{"ក":1}')
    expect(protectedHeader).toEqual(headerWith(alg))
  })

  it.each(SIGNATURE_ALGORITHMS)('made by jose with %s verifies here', async (alg) => {
    const { privateKey, publicKey } = pairs.get(alg)!
    const jws = await new CompactSign(Buffer.from('{"ក":1}'))
      .setProtectedHeader({ ...headerWith(alg) })
      .sign(privateKey)
    const parsed = parseJws(jws)
    verifyJws(parsed, publicKey)
    expect(parsed.header).toEqual(headerWith(alg))
    expect(parsed.payload.toString('utf8')).toBe('{"ក":1}')
  })

  it.each(SIGNATURE_ALGORITHMS)('with %s verifies for any payload, and for no other', (alg) => {
    const { privateKey, publicKey } = pairs.get(alg)!
    const text = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(text, text, (payload, other) => {
        const header = headerWith(alg)
        const parsed = parseJws(signJws(header, payload, privateKey))
        verifyJws(parsed, publicKey)
        expect(parsed.payload.toString('utf8')).toBe(payload)
        if (other === payload) return
        const { signingInput } = parseJws(signJws(header, other, privateKey))
        expect(outcome(() => verifyJws({ ...parsed, signingInput }, publicKey))).toEqual({
          code: 'manifest.signature-invalid',
        })
      }),
      { numRuns: 20 },
    )
  })

  it('verifies for every length that the two numbers of ES256 may have', async () => {
    const { privateKey, publicKey } = pairs.get('ES256')!
    // One signature in 128 has a number that begins with a zero byte.
    for (let i = 0; i < 3000; i += 1) {
      const jws = signJws({ ...headerWith('ES256'), iat: i }, 'x', privateKey)
      verifyJws(parseJws(jws), publicKey)
      if (i % 50 === 0) await compactVerify(jws, publicKey)
    }
  })

  it('is refused when any one bit of its signature differs', () => {
    const { privateKey, publicKey } = pairs.get('ES256')!
    const parsed = parseJws(signJws(headerWith('ES256'), '{}', privateKey))
    for (let bit = 0; bit < 512; bit += 1) {
      const signature = Buffer.from(parsed.signature)
      signature[bit >> 3]! ^= 1 << (bit & 7)
      expect(outcome(() => verifyJws({ ...parsed, signature }, publicKey))).toEqual({
        code: 'manifest.signature-invalid',
      })
    }
  })
})

describe('algorithmOf', () => {
  it('names the algorithm that a key signs with', () => {
    const algorithm = (name: string): unknown => outcome(() => algorithmOf(publicKeys.get(name)!))
    expect(algorithm('ec')).toEqual({ value: 'ES256' })
    expect(algorithm('rsa')).toEqual({ value: 'PS256' })
    expect(algorithm('ed25519')).toEqual({ value: 'EdDSA' })
    expect(algorithm('ec p-384')).toEqual({ code: 'manifest.signer-unknown' })
    expect(algorithm('ed448')).toEqual({ code: 'manifest.signer-unknown' })
  })
})
