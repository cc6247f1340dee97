import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerBlock } from '../../protocol/header-block.ts'
import { readCallHeaders, type CallHeaders } from '../../protocol/headers.ts'
import { outcome } from './support.ts'

const read = (...raw: string[]): { value: CallHeaders } | { code: string } =>
  outcome(() => readCallHeaders(headerBlock(raw)))
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
const CLIENT = ['X-Road-Client', 'SANDBOX/GOV/TAX/portal']

describe('readCallHeaders', () => {
  it('reads all that a call may say', () => {
    const result = read(
      ...CLIENT,
      ...['x-road-id', 'q-1', 'X-ROAD-USERID', 'KH010203', 'X-Road-Issue', utf8('សំណុំរឿង 17')],
      ...['X-Road-Represented-Party', 'COM/%E1%9E%80', 'Spean-Purpose', 'tax audit'],
      ...['X-Road-Security-Server', 'SANDBOX/GOV/MOI/gw1'],
    )
    expect(result).toEqual({
      value: {
        client: { instance: 'SANDBOX', memberClass: 'GOV', member: 'TAX', subsystem: 'portal' },
        messageId: 'q-1',
        userId: 'KH010203',
        issue: 'សំណុំរឿង 17',
        representedParty: 'COM/ក',
        securityServer: {
          instance: 'SANDBOX',
          memberClass: 'GOV',
          member: 'MOI',
          gateway: 'gw1',
        },
        purpose: 'tax audit',
      },
    })
  })

  it.each([
    ['no client', [], 'request.client-missing'],
    ['an empty client', ['X-Road-Client', ''], 'request.client-missing'],
    ['a client of two parts', ['X-Road-Client', 'A/B'], 'request.identifier-invalid'],
    ['two clients', [...CLIENT, ...CLIENT], 'request.header-repeated'],
    [
      'a client hidden by Connection',
      [...CLIENT, 'Connection', 'X-Road-Client'],
      'request.client-missing',
    ],
    [
      'an empty represented party',
      [...CLIENT, 'X-Road-Represented-Party', ''],
      'request.identifier-invalid',
    ],
    [
      'a represented party of three parts',
      [...CLIENT, 'X-Road-Represented-Party', 'a/b/c'],
      'request.identifier-invalid',
    ],
    [
      'a security server of three parts',
      [...CLIENT, 'X-Road-Security-Server', 'a/b/c'],
      'request.identifier-invalid',
    ],
    [
      'an empty security server',
      [...CLIENT, 'X-Road-Security-Server', ''],
      'request.identifier-invalid',
    ],
    ['a user that is not UTF-8', [...CLIENT, 'X-Road-UserId', '\u00c3('], 'request.malformed'],
  ])('refuses %s', (_what, raw, code) => {
    expect(read(...raw)).toEqual({ code })
  })

  it.each(['X-Road-Id', 'X-Road-UserId', 'X-Road-Issue', 'Spean-Purpose'])(
    'takes an empty %s for none, and refuses it twice',
    (name) => {
      const empty = read(...CLIENT, name, '')
      expect(empty).toEqual(read(...CLIENT))
      expect(read(...CLIENT, name, 'a', name, 'a')).toEqual({ code: 'request.header-repeated' })
    },
  )

  it.each(['X-Road-Represented-Party', 'X-Road-Security-Server'])('refuses %s twice', (name) => {
    expect(read(...CLIENT, name, 'a/b/c/d', name, 'a/b/c/d')).toEqual({
      code: 'request.header-repeated',
    })
  })

  it('keeps every byte of a text, a byte order mark included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        expect(read(...CLIENT, 'X-Road-Id', utf8(text))).toMatchObject({
          value: { messageId: text },
        })
      }),
    )
    expect(read(...CLIENT, 'X-Road-Id', utf8('\ufeffq'))).toMatchObject({
      value: { messageId: '\ufeffq' },
    })
  })

  it('never crashes on any bytes', () => {
    const name = fc.constantFrom('X-Road-Client', 'X-Road-Id', 'X-Road-Represented-Party')
    const bytes = fc.uint8Array({ maxLength: 30 }).map((a) => Buffer.from(a).toString('latin1'))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, bytes)), (pairs) => {
        const result = read(...pairs.flat())
        if ('code' in result) expect(result.code).toMatch(/^request\./)
      }),
      { numRuns: 1000 },
    )
  })
})
