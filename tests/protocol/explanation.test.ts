import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseProviderAnswer, parseSupposedCall } from '../../protocol/explanation.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { readVectors } from './support.ts'

interface Vectors {
  readonly questions: { comment: string; body: string; call?: object; code?: string }[]
  readonly answers: { comment: string; body: string; answer?: object; code?: string }[]
}
const { questions, answers } = readVectors<Vectors>('explanation')

/** What was read, or the code of the refusal. */
function outcome(read: () => object): object | string {
  try {
    return read()
  } catch (error) {
    if (error instanceof ExchangeError) return error.code
    throw error
  }
}

describe('a question about a call', () => {
  it.each(questions)('$comment', ({ body, call, code }) => {
    expect(outcome(() => parseSupposedCall(Buffer.from(body)))).toEqual(call ?? code)
  })

  it('is no longer than the limit', () => {
    const long = Buffer.alloc(LIMITS.explainBytes + 1, ' ')
    expect(outcome(() => parseSupposedCall(long))).toBe('request.body-too-large')
  })

  it('of any bytes is read or refused by a code', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        const bytes = Buffer.from(text)
        expect(outcome(() => parseSupposedCall(bytes))).toSatisfy(
          (read: unknown) => typeof read === 'object' || read === 'request.malformed',
        )
        expect(outcome(() => parseProviderAnswer(bytes))).toSatisfy(
          (read: unknown) => typeof read === 'object' || read === 'provider.answer-invalid',
        )
      }),
    )
  })
})

describe('an answer of the provider', () => {
  it.each(answers)('$comment', ({ body, answer, code }) => {
    expect(outcome(() => parseProviderAnswer(Buffer.from(body)))).toEqual(answer ?? code)
  })
})
