import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isMetadataService,
  METADATA_SERVICES,
  METHODS,
  parseMethod,
} from '../../protocol/methods.ts'
import { outcome, protocolText } from './support.ts'

describe('methods', () => {
  it('are the eight of X-Road, as the text of the protocol lists them', () => {
    expect(METHODS.map(parseMethod)).toEqual([...METHODS])
    expect(protocolText()).toContain(`\`${METHODS.join(' ')}\``)
  })

  it.each(['get', 'CONNECT', 'PROPFIND', '', ' GET', 'GET ', undefined, 'toString'])(
    'are not %j',
    (method) => {
      expect(outcome(() => parseMethod(method))).toEqual({ code: 'request.method-unsupported' })
    },
  )

  it('never crash their reader', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (method) => {
        const result = outcome(() => parseMethod(method))
        if ('value' in result) expect(METHODS).toContain(method)
      }),
    )
  })
})

describe('metadata services', () => {
  it('are known by their exact code', () => {
    expect(METADATA_SERVICES.every(isMetadataService)).toBe(true)
    expect(['listmethods', 'getWsdl', '', 'constructor'].some(isMetadataService)).toBe(false)
  })
})
