import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import type { JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../protocol/limits.ts'
import { parseRegistration, verifyRegistration } from '../../protocol/registration.ts'
import { codeOf, outcome, readVectors } from './support.ts'

interface Vectors {
  readonly keys: Record<string, JWK>
  readonly at: string
  readonly cases: {
    readonly comment: string
    readonly key: string
    readonly jws: string
    readonly code: string | null
    readonly gateway?: string
  }[]
}
const { keys, at, cases } = readVectors<Vectors>('registration')

describe('a registration', () => {
  it.each(cases)('$comment', async ({ key, jws, code, gateway }) => {
    const publicKey = createPublicKey({ key: keys[key] as object, format: 'jwk' } as never)
    const read = async (): Promise<string> => {
      const parsed = parseRegistration(jws)
      await verifyRegistration(parsed, publicKey, new Date(at))
      return parsed.registration.gateway
    }
    const result = await read().then(
      (value) => ({ value }),
      (error: unknown) => ({ code: codeOf(error) }),
    )
    expect(result).toEqual(code === null ? { value: gateway } : { code })
  })

  it('is refused above its size before it is read', () => {
    const long = 'A'.repeat(LIMITS.registrationBytes + 1)
    expect(outcome(() => parseRegistration(long))).toEqual({ code: 'registration.malformed' })
  })

  it('never crashes its reader, whatever stands in the three parts', () => {
    const part = fc.oneof(
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const read = outcome(() => parseRegistration(parts.join('.')))
        expect(read).toEqual({ code: 'registration.malformed' })
      }),
    )
  })
})
