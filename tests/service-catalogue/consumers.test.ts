/** Who consumes a service, by the contracts that passed through the catalogue. */
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import type { Contract } from '../../protocol/contract.ts'
import type { SignedDocument } from '../../protocol/contract-jws.ts'
import { hasContractFor } from '../../service-catalogue/consumers.ts'
import { judgeDocument, storeDocument } from '../../service-catalogue/contract-store.ts'
import { openDatabase } from '../../service-catalogue/database.ts'
import { contractOf, signedContract } from '../support/contracts.ts'
import { BANK, INSTANCE, REGISTRY } from '../support/federation.ts'
import { temporaryFolder } from './support.ts'

const BANK_MEMBER = `${INSTANCE}/COM/BANK`
const PROVIDER = `${INSTANCE}/GOV/REG`
const SERVICE = `${REGISTRY}/people`
const NOW = new Date('2026-11-24T12:00:00Z')

let db: ReturnType<typeof openDatabase>
let keys: KeyPair
beforeEach(async () => {
  db = openDatabase(temporaryFolder(), INSTANCE)
  onTestFinished(() => db[Symbol.dispose]())
  keys = await generateKey('P-256')
})

const by = (member: string) => ({
  ...{ member, thumbprint: 'A'.repeat(43), privateKey: keys.privateKey, signedAt: NOW },
})
function handIn<T extends SignedDocument>(document: T): T {
  const accepted = judgeDocument(db, document)
  if ('document' in accepted) storeDocument(db, accepted, NOW)
  return document
}
const agreed = (changes: Partial<Contract> = {}): SignedDocument<Contract> =>
  handIn(signedContract(contractOf(changes), by(BANK_MEMBER), by(PROVIDER)))
const consumes = (...scope: string[]): boolean => hasContractFor(db, scope, SERVICE, NOW)

it('is whoever has a contract: the subsystem, its member, and nobody else', () => {
  handIn(signedContract(contractOf(), by(BANK_MEMBER)))
  expect(consumes(BANK_MEMBER)).toBe(false)
  agreed()
  expect(consumes(BANK)).toBe(true)
  expect(consumes(BANK_MEMBER)).toBe(true)
  expect(consumes(`${INSTANCE}/GOV/MOH`, BANK_MEMBER)).toBe(true)
  const others = [`${INSTANCE}/GOV/MOH`, `${BANK}2`, `${BANK_MEMBER}/OTHER`, PROVIDER]
  for (const other of others) expect([other, consumes(other)]).toEqual([other, false])
  expect(hasContractFor(db, [BANK], `${REGISTRY}/other`, NOW)).toBe(false)
})

it('is each subsystem of a member whose contract is for all of it', () => {
  agreed({ client: BANK_MEMBER })
  expect(consumes(BANK)).toBe(true)
})

it('is no longer whose contract has ended or was revoked, until there is another', () => {
  agreed({ validUntil: '2026-11-24T12:00:00Z' })
  expect(consumes(BANK)).toBe(false)
  const { digest } = agreed()
  expect(consumes(BANK)).toBe(true)
  const revocation = { version: 1, kind: 'revocation', contract: digest, reason: 'x' } as const
  handIn(signedContract(revocation, by(PROVIDER)))
  expect(consumes(BANK)).toBe(false)
  agreed({ purposes: ['other'] })
  expect(consumes(BANK)).toBe(true)
})

it('is whoever is in a group with a contract, which the provider alone signs', () => {
  handIn(signedContract(contractOf({ client: 'group:banks' }), by(PROVIDER)))
  expect(consumes(BANK_MEMBER)).toBe(false)
  db.run(`INSERT INTO member VALUES (?, 'Bank')`, BANK_MEMBER)
  db.run(
    `INSERT INTO subsystem (id, member, code, name) VALUES (?, ?, 'KYC', 'KYC')`,
    BANK,
    BANK_MEMBER,
  )
  db.run(`INSERT INTO client_group (code, title) VALUES ('banks', 'Banks')`)
  db.run(
    `INSERT INTO listed_client (groupCode, client, subsystem) VALUES ('banks', ?, ?)`,
    BANK,
    BANK,
  )
  expect(consumes(BANK_MEMBER)).toBe(true)
  expect(consumes(`${INSTANCE}/COM/SHOP`)).toBe(false)
})
