import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '../../protocol/error-table.ts'
import { ExchangeError, isErrorCode, type ErrorCode, type Origin } from '../../protocol/errors.ts'
import {
  faultCode,
  fromProblem,
  toProblem,
  toXRoadFault,
  type Problem,
  type XRoadFault,
} from '../../protocol/problem.ts'
import type { Basis } from '../../protocol/refusal.ts'
import { readVectors } from './support.ts'

interface Vector {
  readonly comment: string
  readonly code: ErrorCode
  readonly origin: Origin
  readonly detail: string
  readonly exchangeId: string
  readonly step?: string
  readonly basis?: Basis
  readonly problem: Problem
  readonly fault: XRoadFault
}
interface ReceivedVector {
  readonly comment: string
  readonly body: unknown
  readonly code: string
  readonly detail?: string
  readonly origin?: string
  readonly step?: string
  readonly basis?: Basis
}
const codes = Object.keys(ERRORS) as ErrorCode[]

describe('toProblem and toXRoadFault', () => {
  it.each(readVectors<Vector[]>('problem'))('$comment', (vector) => {
    const { code, detail, origin, exchangeId, step, basis } = vector
    const decided = { ...(step ? { step } : {}), ...(basis ? { basis } : {}) }
    const refusal = Object.assign(new ExchangeError(code, detail), decided)
    const problem = toProblem(refusal, origin, exchangeId)
    expect(problem).toEqual(vector.problem)
    expect(toXRoadFault(problem)).toEqual(vector.fault)
    const passedOn = Object.assign(new ExchangeError(code, detail, { origin }), decided)
    expect(toProblem(passedOn, 'client-gateway', exchangeId)).toEqual(vector.problem)
  })

  it('say nothing of what an unexpected error said', () => {
    for (const error of [
      new TypeError('/etc/secret'),
      'secret',
      { message: 'secret' },
      undefined,
    ]) {
      const problem = toProblem(error, 'provider-gateway', 'x-1')
      expect(problem).toMatchObject({ code: 'internal', status: 500 })
      expect(JSON.stringify([problem, toXRoadFault(problem)])).not.toContain('secret')
    }
  })

  it.each(codes)('give %s a fault code without the sign for the side', (code) => {
    for (const origin of ['client-gateway', 'provider-gateway', 'service', 'catalogue'] as const) {
      expect(faultCode(code, origin)).toMatch(/^(client|server)(\.[a-z0-9_]+)+$/)
    }
  })
})

describe('fromProblem', () => {
  it.each(readVectors<ReceivedVector[]>('received-problem'))('$comment', (vector) => {
    const { code, detail, origin, step, basis } = vector
    const error = fromProblem(vector.body)
    expect(error).toBeInstanceOf(ExchangeError)
    expect(error.code).toBe(code)
    if (detail !== undefined) expect(error.message).toBe(detail)
    expect(error.origin).toBe(origin)
    expect(error.step).toBe(step)
    expect(error.basis).toEqual(basis)
  })

  it('keeps code, detail and origin of a refusal through the client gateway', () => {
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.string({ maxLength: 1000 }), (code, detail) => {
        const sent = toProblem(new ExchangeError(code, detail), 'provider-gateway', 'x-1')
        const received = fromProblem(JSON.parse(JSON.stringify(sent)))
        expect(toProblem(received, 'client-gateway', 'x-1')).toEqual(sent)
      }),
    )
  })

  it('never crashes, and gives a code of the table', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (body, code) => {
        expect(isErrorCode(fromProblem(body).code)).toBe(true)
        expect(isErrorCode(fromProblem({ code, detail: body, origin: code }).code)).toBe(true)
      }),
    )
  })
})
