import { describe, expect, it } from 'vitest'
import { createKnownPaths } from '../../gateway/trust/known-paths.ts'
import { NOW } from '../pki/support.ts'
import { pairOfGateways } from './support.ts'

const thrown = (attempt: () => unknown): unknown => {
  try {
    return attempt()
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('paths that are remembered', () => {
  it('hold for the time, the purpose and the snapshot that they were found for', async () => {
    const { keys, view } = await pairOfGateways()
    const { certificate } = keys.bank
    const paths = createKnownPaths()
    const first = paths.pathOf(certificate, 'signing', view, NOW)
    expect(first[0]).toBe(certificate)
    expect(paths.pathOf(certificate, 'signing', view, NOW)).toBe(first)
    const { notBefore, notAfter } = certificate
    expect(paths.pathOf(certificate, 'signing', view, notAfter)).toBe(first)
    const late = new Date(notAfter.getTime() + 1)
    const early = new Date(notBefore.getTime() - 1)
    const code = (at: Date, purpose: 'signing' | 'authentication' = 'signing'): unknown =>
      thrown(() => paths.pathOf(certificate, purpose, view, at))
    expect(code(late)).toBe('certificate.expired')
    expect(code(early)).toBe('certificate.not-yet-valid')
    expect(code(NOW, 'authentication')).toBe('certificate.untrusted')
    const without = { ...view, anchors: [] }
    const attempt = (): unknown => paths.pathOf(certificate, 'signing', without, NOW)
    expect(thrown(attempt)).toBe('certificate.untrusted')
    expect(paths.pathOf(certificate, 'signing', view, NOW)).toEqual(first)
  })
})
