import { expect, it } from 'vitest'
import { attention } from '../../cli/commands/status.ts'

const HOUR_MS = 3_600_000
const inHours = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString()
const gateway = { program: 'gateway', snapshot: { number: 1, expiresAt: inHours(20) } }
const state = (changes: object) => ({
  subject: 'CN=REG',
  status: 'good',
  ageSeconds: 7260,
  usableUntil: inHours(2),
  ...changes,
})

it('nothing is to be looked at when all is well', () => {
  const clock = { offsetMs: -4000, against: 'the catalogue' }
  expect(attention({ ...gateway, ocsp: [state({})], clock })).toEqual([])
})

it('tells the state that ends first of those that are not heard any more, with its age and its end', () => {
  const fault = 'ECONNREFUSED'
  const first = state({ fault })
  const ocsp = [state({ subject: 'CN=A', fault, usableUntil: inHours(3) }), first, state({})]
  expect(attention({ ...gateway, ocsp })).toEqual([
    `OCSP of CN=REG not heard for 2 h; used until ${first.usableUntil}, and 1 more`,
  ])
  const over = state({ fault, ageSeconds: 5400, usableUntil: inHours(-1) })
  expect(attention({ ...gateway, ocsp: [over] })).toEqual([
    `OCSP of CN=REG not heard for 90 min; not used since ${over.usableUntil}`,
  ])
})

it.each([
  [5000, 'the clock is 5 s ahead of the catalogue'],
  [-3_600_000, 'the clock is 3600 s behind the catalogue'],
])('tells of a clock that is off by %i milliseconds', (offsetMs, note) => {
  expect(attention({ ...gateway, clock: { offsetMs, against: 'the catalogue' } })).toEqual([note])
})

it('tells of a tree that does not grow, why and since when', () => {
  const fault = 'TreeMismatchError: record 7 is not the one that is in the tree'
  const oldestWaitingAt = '2026-01-01T00:00:00.000Z'
  expect(attention({ ...gateway, tree: { fault, oldestWaitingAt } })).toEqual([
    `the tree of the exchange log does not grow since ${oldestWaitingAt} (${fault})`,
  ])
  expect(attention({ ...gateway, tree: {} })).toEqual([])
})

it('names what is revoked: its own with the reason and what to do, those of others by subject', () => {
  const status = 'revoked'
  const lack = 'CN=OWN (serial 01) was revoked at 2026-01-01T00:00:00.000Z (keyCompromise)'
  const certificates = [{ notAfter: inHours(9), subject: 'CN=OWN', thumbprint: 'a', lack }]
  const ocsp = [
    state({ subject: 'CN=OWN', thumbprint: 'a', own: true, status }),
    ...['CN=A', 'CN=B', 'CN=C'].map((subject) => state({ subject, own: false, status })),
  ]
  expect(attention({ ...gateway, certificates, ocsp })).toEqual([
    `${lack}; spean enroll --replace with a new code gets another`,
    'revoked, of others: CN=A and CN=B and 1 more',
  ])
})
