import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCsr, parseCsr } from '../../pki/csr.ts'
import { parseDer } from '../../pki/der.ts'
import { formatName } from '../../pki/distinguished-name.ts'
import { OWN_PROFILE, subjectOf } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import {
  readIdentityBy,
  readSubject,
  subjectBy,
  type CertificateIdentity,
} from '../../pki/subject-profile.ts'
import type { SubjectProfile } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'

interface Vectors {
  readonly profiles: Record<string, SubjectProfile>
  readonly cases: {
    readonly comment: string
    readonly profile: string
    readonly subject: string
    readonly identity: CertificateIdentity | null
  }[]
}
const file = join(import.meta.dirname, '../vectors/subject-profile.json')
const { profiles, cases } = JSON.parse(readFileSync(file, 'utf8')) as Vectors
const profile = (name: string): SubjectProfile => profiles[name]!
const MOI = { instance: 'KH', memberClass: 'GOV', member: 'MOI' }

describe('a subject', () => {
  it.each(cases)('is read by its profile: $comment', ({ profile: name, subject, identity }) => {
    expect(readIdentityBy(Buffer.from(subject, 'hex'), profile(name)) ?? null).toEqual(identity)
  })

  it('is read by our own profile as by any other', () => {
    expect(profile('own')).toEqual(OWN_PROFILE)
  })

  it.each([
    ['own', 'own profile, no class', /^memberClass: /],
    ['own', 'own profile, code twice', /^member: .*2\.5\.4\.3.*more than once/],
    ['fi', 'X-Road, Finland: a piece is missing', /^instance: .*3 pieces/],
    ['etsi', 'ETSI EN 319 412-1: the register of another country', /^member: .*NTRKH-/],
  ])('that names nobody says which part failed: %s, %s', (name, comment, fault) => {
    const { subject } = cases.find((entry) => entry.comment === comment)!
    expect(readSubject(Buffer.from(subject, 'hex'), profile(name)).fault).toMatch(fault)
  })
})

describe('a subject for a request', () => {
  it.each([
    [
      'own',
      { ...MOI, member: 'ក្រសួងមហាផ្ទៃ', gateway: 'GW1' },
      'serialNumber=GW1,CN=ក្រសួងមហាផ្ទៃ,OU=GOV,O=KH',
    ],
    ['fi', { ...MOI, gateway: '1234-1' }, 'CN=MOI,serialNumber=KH/1234-1/GOV'],
    ['camdx', { ...MOI, gateway: 'GW1' }, 'CN=MOI,O=KH/GW1/GOV'],
    ['etsi', { ...MOI, member: '123456' }, 'organizationIdentifier=NTRKH-123456'],
    ['dashes', MOI, 'CN=ID:GOV--MOI'],
  ])('is written as the authority wants it: %s', (name, identity, text) => {
    const subject = subjectBy(identity, profile(name))
    expect(formatName(parseDer(subject))).toBe(text)
    expect(readIdentityBy(subject, profile(name))).toEqual(identity)
  })

  it('has other attributes in front, a country as a PrintableString', () => {
    const others = [{ type: '2.5.4.6', value: 'KH' }]
    const subject = subjectBy({ ...MOI, gateway: 'G' }, profile('fi'), others)
    expect(formatName(parseDer(subject))).toBe('CN=MOI,serialNumber=KH/G/GOV,C=KH')
    expect(subject.includes(Buffer.from('1302' + Buffer.from('KH').toString('hex'), 'hex'))).toBe(
      true,
    )
    expect(readIdentityBy(subject, profile('fi'))).toEqual({ ...MOI, gateway: 'G' })
  })

  it('stands in the request as it is', async () => {
    const identity = { ...MOI, gateway: 'GW1' }
    const subject = subjectBy(identity, profile('camdx'), [{ type: '2.5.4.6', value: 'KH' }])
    const { pem } = await createCsr({ identity, subject, key: await generateKey('P-256') })
    const request = parseCsr(pem)
    expect(request.subject).toBe('CN=MOI,O=KH/GW1/GOV,C=KH')
    expect(readIdentityBy(request.subjectDer, profile('camdx'))).toEqual(identity)
  })

  it.each([
    ['fi', MOI, 'a piece that nobody gave'],
    ['fi', { ...MOI, gateway: 'A/B' }, 'a piece that holds the separator'],
    ['loose', { ...MOI, gateway: 'GW1' }, 'a part that the profile does not write'],
    ['etsi', { ...MOI, memberClass: 'COM' }, 'another value than the one the authority is for'],
    ['own', { ...MOI, member: 'A/B' }, 'a slash'],
  ])('is not written by %s with %j: %s', (name, identity, _why) => {
    expect(() => subjectBy(identity, profile(name))).toThrow(ConfigError)
  })

  it('is not written when another attribute would make it name nobody', () => {
    const others = [{ type: '2.5.4.3', value: 'X' }]
    expect(() => subjectBy(MOI, OWN_PROFILE, others)).toThrow(ConfigError)
    expect(subjectBy(MOI, OWN_PROFILE)).toEqual(subjectOf(MOI))
  })
})
