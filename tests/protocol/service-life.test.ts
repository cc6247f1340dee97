import { describe, expect, it } from 'vitest'
import { lifeHeaders, verifyNotRetired } from '../../protocol/service-life.ts'

const ID = 'KH-DEV/GOV/MOI/REG/persons'
const SUNSET = '2027-01-01T00:00:00Z'
const at = (text: string): Date => new Date(text)
const retired = expect.objectContaining({ code: 'service.retired' }) as unknown

describe('a service', () => {
  it('is refused when it is retired, naming what to use instead', () => {
    const life = { state: 'retired', sunset: SUNSET, successor: `${ID}2` } as const
    expect(() => verifyNotRetired(ID, life, at('2026-01-01T00:00:00Z'))).toThrow(retired)
    expect(() => verifyNotRetired(ID, life, at('2026-01-01T00:00:00Z'))).toThrow(`use ${ID}2`)
  })

  it('is refused from its date on, though the snapshot calls it deprecated', () => {
    const life = { state: 'deprecated', sunset: SUNSET } as const
    expect(() => verifyNotRetired(ID, life, at('2026-12-31T23:59:59.999Z'))).not.toThrow()
    expect(() => verifyNotRetired(ID, life, at(SUNSET))).toThrow(retired)
  })

  it('is not refused while it is published, or unknown', () => {
    expect(() => verifyNotRetired(ID, { sunset: SUNSET }, at('2028-01-01T00:00:00Z'))).not.toThrow()
    expect(() => verifyNotRetired(ID, undefined, at(SUNSET))).not.toThrow()
  })
})

describe('headers of the end', () => {
  it('have the forms of RFC 9745, RFC 8594 and RFC 5829', () => {
    const life = {
      state: 'deprecated',
      deprecatedAt: '2026-11-24T17:00:00.900Z',
      sunset: SUNSET,
      successor: 'KH-DEV/GOV/MOI/REG/ប្រជាជន',
    } as const
    expect(lifeHeaders(life)).toEqual([
      ['deprecation', '@1795539600'],
      ['sunset', 'Fri, 01 Jan 2027 00:00:00 GMT'],
      ['link', `</r1/KH-DEV/GOV/MOI/REG/${encodeURIComponent('ប្រជាជន')}>; rel="successor-version"`],
    ])
  })

  it('are not there for a service that goes on', () => {
    expect(lifeHeaders({ state: 'published', sunset: SUNSET })).toEqual([])
    expect(lifeHeaders({})).toEqual([])
  })
})
