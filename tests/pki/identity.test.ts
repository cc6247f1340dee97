import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDer, TAG } from '../../pki/der.ts'
import { encode, oid, sequence, setOf } from '../../pki/der-writer.ts'
import { encodeName, formatName } from '../../pki/distinguished-name.ts'
import { readIdentity, subjectOf } from '../../pki/identity.ts'
import { OID } from '../../pki/oids.ts'
import { GATEWAY } from './support.ts'

const O = { type: OID.organizationName, value: 'KH' }
const OU = { type: OID.organizationalUnitName, value: 'GOV' }
const CN = { type: OID.commonName, value: 'MOI' }

describe('identity', () => {
  it('reads back the identity it writes, in any script', () => {
    const part = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('/'))
    const identity = fc.record(
      { instance: part, memberClass: part, member: part, gateway: part, subsystem: part },
      { requiredKeys: ['instance', 'memberClass', 'member'] },
    )
    fc.assert(
      fc.property(identity, (given) => {
        expect(readIdentity(subjectOf(given))).toEqual(given)
      }),
      { numRuns: 200 },
    )
  })

  it('passes over attributes that the profile does not name', () => {
    const country = { type: '2.5.4.6', value: 'KH' }
    expect(readIdentity(encodeName([country, O, OU, CN]))).toEqual({
      instance: 'KH',
      memberClass: 'GOV',
      member: 'MOI',
    })
  })

  it.each([
    ['without a member code', encodeName([O, OU])],
    ['with two member codes', encodeName([O, OU, CN, CN])],
    ['with an empty part', encodeName([O, OU, { ...CN, value: '' }])],
    ['with a slash in a part', encodeName([O, OU, { ...CN, value: 'MOI/X' }])],
    ['with a part that is no text', sequence(setOf(sequence(oid(OID.commonName), sequence())))],
    ['that is no name', Buffer.from('garbage')],
    ['that is empty', encodeName([])],
  ])('finds nobody in a subject %s', (_what, subject) => {
    expect(readIdentity(subject)).toBeUndefined()
  })

  it('writes names as one line of RFC 4514 with Khmer as it is', () => {
    expect(formatName(parseDer(subjectOf(GATEWAY)))).toBe(
      'serialNumber=MOI-1,CN=ក្រសួងមហាផ្ទៃ,OU=GOV,O=KH-TEST',
    )
  })

  it.each([
    ['a,b+c', 'CN=a\\,b\\+c'],
    [' a ', 'CN=\\ a\\ '],
    ['#1', 'CN=\\#1'],
    ['a\nb\0', 'CN=a\\0ab\\00'],
    ['\u202eabc', 'CN=\\e2\\80\\aeabc'],
  ])('escapes %j in the text of a name', (value, text) => {
    expect(formatName(parseDer(encodeName([{ type: OID.commonName, value }])))).toBe(text)
  })

  it('writes what has no text as the hex of its encoding', () => {
    const bits = encode(TAG.bitString, Buffer.of(0, 1))
    const name = sequence(setOf(sequence(oid('1.2.3.4'), bits)))
    expect(formatName(parseDer(name))).toBe('1.2.3.4=#03020001')
  })
})
