import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  jwsDigest,
  manifestText,
  parseRequestManifest,
  parseResponseManifest,
  requestHash,
  type RequestManifest,
} from '../../protocol/manifest.ts'
import { METHODS } from '../../protocol/methods.ts'
import { outcome, readVectors } from './support.ts'

interface Vector {
  readonly comment: string
  readonly kind: 'request' | 'response'
  readonly payload?: string
  readonly payloadBase64url?: string
  readonly code: string | null
}
const PARSERS = { request: parseRequestManifest, response: parseResponseManifest }
const vectors = readVectors<Vector[]>('manifest')
const bytesOf = ({ payload, payloadBase64url }: Vector): Buffer =>
  payload === undefined ? Buffer.from(payloadBase64url!, 'base64url') : Buffer.from(payload, 'utf8')

describe('manifest', () => {
  it.each(vectors)('$kind: $comment', (vector) => {
    const bytes = bytesOf(vector)
    const result = outcome(() => PARSERS[vector.kind](bytes))
    if (vector.code !== null) return expect(result).toEqual({ code: vector.code })
    const manifest = 'value' in result ? result.value : undefined
    expect(manifest && manifestText(manifest)).toBe(bytes.toString('utf8'))
  })

  const text = fc.string({ unit: 'grapheme' })
  const size = fc.maxSafeNat()
  const digest = fc.base64String().map((base64) => base64.replaceAll(/[+/=]/g, '_'))
  const optional = { requiredKeys: [] as [] }
  const request: fc.Arbitrary<RequestManifest> = fc
    .tuple(
      fc.record({
        version: fc.constant(1 as const),
        kind: fc.constant('request' as const),
        exchangeId: fc.uuid(),
        messageId: text,
        client: text,
        service: text,
        method: fc.constantFrom(...METHODS),
        target: text,
        headersDigest: digest,
        bodyDigest: digest,
        bodySize: size,
        gateway: text,
        snapshot: size,
      }),
      fc.record({ userId: text, issue: text, representedParty: text, purpose: text }, optional),
    )
    .map(([required, rest]) => ({ ...required, ...rest }) as RequestManifest)

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(request, (manifest) => {
        const bytes = Buffer.from(manifestText(manifest), 'utf8')
        expect(parseRequestManifest(bytes)).toEqual(manifest)
        expect(outcome(() => parseResponseManifest(bytes))).toEqual({ code: 'manifest.malformed' })
      }),
    )
  })

  it('is refused with any byte more, less or changed to another spelling', () => {
    const bytes = bytesOf(vectors[0]!)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(bytes)
        changed[at] = byte
        const shorter = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
        for (const other of [changed, shorter]) {
          const result = outcome(() => parseRequestManifest(other))
          if ('code' in result) expect(result.code).toBe('manifest.malformed')
          else expect(manifestText(result.value)).toBe(other.toString('utf8'))
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('never crashes its reader', () => {
    const pieces = fc.constantFrom('{', '}', '[', '"', ':', ',', '1', 'null', '\\u', '-', 'e')
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: pieces }).map((json) => Buffer.from(json)),
      fc.json().map((json) => Buffer.from(json)),
    )
    fc.assert(
      fc.property(bytes, (given) => {
        for (const parse of Object.values(PARSERS)) {
          expect(outcome(() => parse(given))).toEqual({ code: 'manifest.malformed' })
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('that is nested as deep as its limit allows is refused and breaks nothing', () => {
    const [valid] = vectors
    const deep = `${'['.repeat(15_000)}${']'.repeat(15_000)}`
    const payload = valid!.payload!.replace('{', `{"A":${deep},`)
    expect(() => JSON.parse(payload)).not.toThrow()
    const result = outcome(() => parseRequestManifest(Buffer.from(payload)))
    if ('code' in result) expect(result.code).toBe('manifest.malformed')
  })
})

describe('digests of a signed manifest', () => {
  const jws = 'eyJh.eyJ2.c2ln'
  const openssl = (algorithm: string): Buffer =>
    execFileSync('openssl', ['dgst', `-${algorithm}`, '-binary'], { input: jws })

  it('are what openssl makes of its text', () => {
    expect(jwsDigest(jws)).toBe(openssl('sha256').toString('base64url'))
    expect(requestHash(jws)).toBe(openssl('sha512').toString('base64'))
  })
})
