import { createPublicKey, type JsonWebKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Contract } from '../../protocol/contract.ts'
import {
  formatDocument,
  isSignedByAll,
  joinSignatures,
  MAX_CONTRACT_BYTES,
  parseDocument,
  verifyContractSignature,
  verifyParties,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { isNoWider, widerClauses } from '../../protocol/contract-scope.ts'
import { covers } from '../../protocol/endpoint.ts'
import { codeOf, outcome, readVectors } from './support.ts'

interface Vectors {
  readonly keys: Record<string, JsonWebKey>
  readonly cases: { comment: string; jws: string; code: string | null; digest?: string }[]
  readonly scope: { comment: string; request: Contract; offer: Contract; wider: string[] }[]
}
const { keys, cases, scope } = readVectors<Vectors>('contract')
const jwsOf = (comment: string): string => cases.find((one) => one.comment === comment)!.jws
const contractOf = (comment: string) => parseDocument(jwsOf(comment)) as SignedDocument<Contract>

describe('a contract document', () => {
  it.each(cases)('$comment', ({ jws, code, digest }) => {
    const result = outcome(() => {
      const document = parseDocument(jws)
      for (const signature of document.signatures) {
        const key = createPublicKey({ key: keys[signature.header.kid]!, format: 'jwk' })
        verifyContractSignature(document, signature, key)
      }
      expect(formatDocument(document)).toBe(jws)
      return document.digest
    })
    expect(result).toEqual(code === null ? { value: digest } : { code })
  })

  it('is complete when all who have to sign did', () => {
    expect(isSignedByAll(contractOf('a contract, signed by both'))).toBe(true)
    expect(isSignedByAll(contractOf('an offer, signed by the provider'))).toBe(false)
    expect(isSignedByAll(contractOf('a request, signed by the client'))).toBe(false)
    expect(isSignedByAll(contractOf('for a group, signed by the provider alone'))).toBe(true)
  })

  it('is made whole of a request and an offer, and no signature is added twice', () => {
    const request = contractOf('a request, signed by the client')
    const whole = joinSignatures(request, contractOf('an offer, signed by the provider'))
    expect(whole && isSignedByAll(whole as SignedDocument<Contract>)).toBe(true)
    expect(joinSignatures(request, request)).toBeUndefined()
  })

  it('lets a refusal be signed by the provider alone, and a revocation by both', () => {
    const parties = { client: 'KH-DEV/COM/BANK', provider: 'KH-DEV/GOV/REG' }
    expect(outcome(() => verifyParties(parseDocument(jwsOf('a refusal')), parties))).toEqual({
      value: undefined,
    })
    const revocation = parseDocument(jwsOf('a revocation'))
    verifyParties(revocation, parties)
    const stranger = { ...parties, client: 'KH-DEV/COM/OTHER' }
    expect(outcome(() => verifyParties(revocation, stranger))).toEqual({
      code: 'contract.signer-unknown',
    })
  })

  it('is refused above its size before it is read', () => {
    const read = outcome(() => parseDocument('{'.repeat(MAX_CONTRACT_BYTES + 1)))
    expect(read).toEqual({ code: 'contract.malformed' })
  })

  it('never crashes its reader', () => {
    const good = jwsOf('a contract, signed by both')
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        expect(outcome(() => parseDocument(text))).toEqual({ code: 'contract.malformed' })
      }),
    )
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, by) => {
        try {
          parseDocument(good.slice(0, at) + by + good.slice(at + 1))
        } catch (error) {
          expect(codeOf(error)).toMatch(/^contract\./)
        }
      }),
    )
  })
})

describe('what an offer may not widen', () => {
  it.each(scope)('$comment', ({ offer, request, wider }) => {
    expect(widerClauses(offer, request)).toEqual(wider)
    expect(isNoWider(offer, request)).toBe(wider.length === 0)
  })

  it('lets no path through that was not asked for', () => {
    const part = fc.constantFrom('a', 'b', '*', '')
    const pattern = fc
      .tuple(fc.array(part, { maxLength: 3 }), fc.boolean())
      .map(([parts, open]) => [...parts, ...(open ? ['**'] : [])].map((p) => `/${p}`).join(''))
    const path = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 })
    const [{ request }] = scope as [Vectors['scope'][number]]
    fc.assert(
      fc.property(pattern, pattern, path, (own, asked, segments) => {
        const [offered, requested] = [own, asked].map((p) => [{ method: 'GET', path: p }])
        const isWithin = isNoWider(
          { ...request, endpoints: offered! },
          { ...request, endpoints: requested! },
        )
        const called = segments.map((segment) => `/${segment}`).join('')
        if (isWithin && covers(offered!, 'GET', called)) {
          expect(covers(requested!, 'GET', called)).toBe(true)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
