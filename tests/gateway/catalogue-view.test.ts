import { beforeAll, describe, expect, it } from 'vitest'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import { CertificateError } from '../../pki/certificate.ts'
import { readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { Snapshot } from '../../protocol/snapshot.ts'
import { BANK, CLIENT, pairOfGateways, REGISTRY, SERVICE, type Pair } from './support.ts'

let pair: Pair
beforeAll(async () => {
  pair = await pairOfGateways()
})
const index = (changes: Partial<Snapshot>) => indexSnapshot({ ...pair.snapshot, ...changes })

describe('the view of a snapshot', () => {
  it('has its number, instance and times', () => {
    const { number, instance, issuedAt, expiresAt } = pair.view
    expect({ number, instance }).toEqual({ number: 7, instance: 'KH-TEST' })
    expect(issuedAt.toISOString()).toBe(pair.snapshot.issuedAt)
    expect(expiresAt.toISOString()).toBe(pair.snapshot.expiresAt)
  })

  it.each([
    [CLIENT, true],
    [BANK, true],
    [`${BANK}/OTHER`, false],
    ['KH-TEST/COM/OTHER', false],
    ['EE/COM/BANK/KYC', false],
  ])('%s is registered: %s', (id, registered) => {
    expect(pair.view.isRegistered(readClientId(id))).toBe(registered)
  })

  it('finds a gateway by its id and by its certificate', () => {
    const gateway = pair.view.gateway(`${BANK}/BANK-1`)
    expect(gateway).toMatchObject({ id: `${BANK}/BANK-1`, address: 'https://127.0.0.1:5501' })
    expect(gateway?.clients).toEqual(new Set([CLIENT, BANK]))
    const [thumbprint] = gateway!.certificates.keys()
    expect(pair.view.gatewayByCertificate(thumbprint!)).toBe(gateway)
    expect(pair.view.gateway(`${BANK}/BANK-2`)).toBeUndefined()
    const { certificate } = pair.keys.bank
    expect(pair.view.gatewayByCertificate(certificate.thumbprint)).toBeUndefined()
  })

  it('finds all gateways of a subsystem, in the order of the snapshot', () => {
    const ids = (subsystem: string) => pair.view.gatewaysOf(subsystem).map(({ id }) => id)
    expect(ids(`${REGISTRY}/POP`)).toEqual([`${REGISTRY}/REG-1`, `${REGISTRY}/REG-2`])
    expect(ids(CLIENT)).toEqual([`${BANK}/BANK-1`])
    expect(ids(`${REGISTRY}/UNSERVED`)).toEqual([])
    expect(ids(REGISTRY)).toEqual([])
  })

  it('tells a subsystem without services from one that there is not', () => {
    expect(pair.view.servicesOf(CLIENT)).toEqual([])
    expect(pair.view.servicesOf(`${BANK}/OTHER`)).toBeUndefined()
    expect(pair.view.servicesOf(BANK)).toBeUndefined()
  })

  it('finds a service in its own subsystem only', () => {
    expect(pair.view.service(readServiceId(SERVICE))?.title).toBe('Echo')
    expect(pair.view.service(readServiceId(`${REGISTRY}/POP/other`))).toBeUndefined()
    expect(pair.view.service(readServiceId(`${CLIENT}/echo`))).toBeUndefined()
  })

  it('finds a signing certificate for its own member only', () => {
    const { certificate } = pair.keys.bank
    expect(pair.view.signingCertificate(BANK, certificate.thumbprint)).toBe(certificate)
    expect(pair.view.signingCertificate(REGISTRY, certificate.thumbprint)).toBeUndefined()
    expect(pair.view.signingCertificate(BANK, 'other')).toBeUndefined()
  })

  it('knows the groups of a client by itself and by its member', () => {
    const groups = (id: string) => pair.view.groupsOf(readClientId(id))
    expect(groups(CLIENT)).toEqual(['banks', 'members'])
    expect(groups(BANK)).toEqual(['members'])
    expect(groups(`${BANK}/ELSEWHERE`)).toEqual(['members'])
    expect(groups('KH-TEST/COM/NOBODY/X')).toEqual([])
  })

  it('does not take a subsystem’s group for its member’s', () => {
    const view = index({ groups: [{ code: 'kyc', title: 'KYC', members: [CLIENT] }] })
    expect(view.groupsOf(readClientId(BANK))).toEqual([])
    expect(view.groupsOf(readClientId(`${BANK}/ELSEWHERE`))).toEqual([])
  })

  it('takes the first certificate of an authority as its anchor, and no other', () => {
    const { root, issuing } = pair.authority
    expect(pair.view.anchors).toEqual([root.certificate])
    expect(pair.view.intermediates).toEqual([issuing.certificate])
    const none = index({ authorities: [{ name: 'empty', certificates: [] }] })
    expect(none.anchors).toEqual([])
  })

  it('has each authority with its own terms, and time-stamping authorities in their order', () => {
    const { root, issuing } = pair.authority
    const subjectProfile = {
      instance: { value: 'KH-TEST' },
      memberClass: { value: 'GOV' },
      member: { attribute: '2.5.4.97', prefix: 'NTRKH-' },
    }
    const [authority] = pair.snapshot.authorities
    const { name } = authority!
    const der = root.certificate.der.toString('base64')
    const own = { name, anchor: root.certificate, intermediates: [issuing.certificate] }
    expect(pair.view.authorities).toEqual([{ ...own, ocspNonce: 'required' }])
    expect(pair.view.timeStampingAuthorities).toEqual([])
    const terms = { subjectProfile, ocspNonce: 'optional' } as const
    const timeStampers = ['B', 'A'].map((label) => ({ name: label, url: `http://${label}` }))
    const view = index({
      authorities: [{ ...authority!, ...terms }],
      timeStampingAuthorities: timeStampers.map((entry) => ({ ...entry, certificates: [der] })),
    })
    expect(view.authorities).toEqual([{ ...own, ...terms }])
    expect(view.timeStampingAuthorities).toEqual(
      timeStampers.map((entry) => ({ ...entry, certificates: [root.certificate] })),
    )
  })

  it('lists members and subsystems with their names', () => {
    const names = pair.view.clients().map(({ name, memberName }) => `${memberName}: ${name}`)
    expect(names).toEqual([
      'Bank: Bank',
      'Bank: Customers',
      'Bank: Served by no gateway',
      'Registry: Registry',
      'Registry: Population',
      'Registry: Of no gateway',
    ])
  })

  it('refuses a certificate that cannot be read, and an identifier that is none', () => {
    const [member] = pair.snapshot.members
    const unreadable = { ...member!, signingCertificates: ['AAAA'] }
    expect(() => index({ members: [unreadable] })).toThrow(CertificateError)
    expect(() => index({ members: [{ ...member!, id: 'KH-TEST' }] })).toThrow(
      expect.objectContaining({ code: 'request.identifier-invalid' }),
    )
  })
})
