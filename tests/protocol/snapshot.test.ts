import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifySnapshot, type Anchor } from '../../protocol/snapshot.ts'
import { codeOf, readVectors } from './support.ts'

interface Vectors {
  readonly anchor: Anchor
  readonly cases: {
    readonly comment: string
    readonly jws: string
    readonly number?: number
    readonly code?: string
  }[]
}
const { anchor, cases } = readVectors<Vectors>('snapshot')

const numberOrCode = (jws: string, trusted = anchor): Promise<number | string> =>
  verifySnapshot(jws, trusted).then(({ number }) => number, codeOf)

describe('verifySnapshot', () => {
  it.each(cases)('$comment', async ({ jws, number, code }) => {
    expect(await numberOrCode(jws)).toBe(number ?? code)
  })

  it('hands on what the catalogue said, in whatever script', async () => {
    const snapshot = await verifySnapshot(cases[0]!.jws, anchor)
    expect(snapshot.members[0]?.name).toBe('ក្រសួងមហាផ្ទៃ')
    expect(snapshot.gateways[0]?.clients).toContain('SANDBOX/GOV/MOI/population')
  })

  it('believes no key that is not in the anchor', async () => {
    const [first, second] = anchor.keys
    const others = { ...anchor, keys: [second!] }
    expect(await numberOrCode(cases[0]!.jws, others)).toBe('catalogue.unavailable')
    expect(await numberOrCode(cases[0]!.jws, { ...anchor, keys: [first!] })).toBe(42)
  })

  it('is tested with public keys only', () => {
    for (const key of anchor.keys) expect(key).not.toHaveProperty('d')
  })

  it('never crashes on any text', async () => {
    const [valid] = cases
    const altered = fc
      .tuple(fc.nat(valid!.jws.length - 1), fc.string({ minLength: 1, maxLength: 3 }))
      .filter(([at, text]) => !valid!.jws.startsWith(text, at))
      .map(([at, text]) => valid!.jws.slice(0, at) + text + valid!.jws.slice(at + text.length))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), altered), async (jws) => {
        expect(await numberOrCode(jws)).toBe('catalogue.unavailable')
      }),
      { numRuns: 300 },
    )
  })
})
