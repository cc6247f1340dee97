import { describe, expect, it } from 'vitest'
import {
  formatCertificateStates,
  parseCertificateStates,
  type CertificateState,
} from '../../protocol/certificate-states.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { expand, outcome, readVectors, type VectorText } from './support.ts'

const state = (byte: number, bytes = 10): CertificateState => ({
  thumbprint: Buffer.alloc(32, byte).toString('base64url'),
  ocsp: Buffer.alloc(bytes, byte),
})
const parse = (text: string): CertificateState[] => parseCertificateStates(Buffer.from(text))
const malformed = expect.objectContaining({ code: 'request.malformed' }) as Error

interface Vector {
  readonly comment: string
  readonly body: VectorText
  readonly thumbprints?: string[]
  readonly code?: string
}

describe('certificate states', () => {
  it.each(readVectors<Vector[]>('certificate-states'))(
    'by vector: $comment',
    ({ body, thumbprints, code }) => {
      const read = outcome(() => parse(expand(body)).map(({ thumbprint }) => thumbprint))
      expect(read).toEqual(code === undefined ? { value: thumbprints } : { code })
    },
  )

  it('are read as they were written, and members that are not known are passed over', () => {
    const states = [state(1), state(2), state(3, 3000)]
    expect(parse(formatCertificateStates(states))).toEqual(states)
    expect(parse('{"states":[],"more":1}')).toEqual([])
    const { thumbprint } = state(1)
    const more = { thumbprint, ocsp: 'AQ==', more: [] }
    expect(parse(JSON.stringify({ states: [more] }))).toHaveLength(1)
  })

  it.each(
    [
      ['', '[]', 'null', '1', '"states"', '{}', '{"states":null}', '{"states":{}}', '{'],
      ['[null]', '[1]', '[[]]', '[{}]', '["x"]'].map((states) => `{"states":${states}}`),
    ].flat(),
  )('are refused: %s', (text) => {
    expect(() => parse(text)).toThrow(malformed)
  })

  it.each(['', 'A', 'AAA', 'AAAA=', 'AAA=A', '-_AA', ' AAAA', 'AAAA\n', 1, null, {}])(
    'are refused with an answer that is not base64: %j',
    (ocsp) => {
      const { thumbprint } = state(1)
      expect(() => parse(JSON.stringify({ states: [{ thumbprint, ocsp }] }))).toThrow(malformed)
    },
  )

  it('are refused when they are too many, too long or not UTF-8', () => {
    const many = JSON.stringify({ states: Array.from({ length: LIMITS.certificateStates + 1 }) })
    expect(() => parse(many)).toThrow(malformed)
    const long = ' '.repeat(LIMITS.certificateStatesBytes + 1)
    expect(() => parse(long)).toThrow(expect.objectContaining({ code: 'request.body-too-large' }))
    expect(() => parseCertificateStates(Buffer.from([0x22, 0xff, 0x22]))).toThrow(malformed)
  })

  it('are written so that they can be read: what does not fit is left out', () => {
    const many = Array.from({ length: 300 }, (_, i) => state(i % 256))
    expect(parse(formatCertificateStates(many))).toHaveLength(LIMITS.certificateStates)
    const long = Array.from({ length: 40 }, (_, i) => state(i, 40_000))
    const text = formatCertificateStates(long)
    expect(text.length).toBeLessThanOrEqual(LIMITS.certificateStatesBytes)
    expect(parse(text).length).toBeGreaterThan(15)
  })
})
