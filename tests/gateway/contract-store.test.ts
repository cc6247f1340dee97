import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createContracts } from '../../gateway/contracts/contracts.ts'
import { endingContracts } from '../../gateway/contracts/expiry.ts'
import { createContractIntake } from '../../gateway/contracts/intake.ts'
import { openContractStore, type ContractStore } from '../../gateway/contracts/store.ts'
import type { ContractCall } from '../../gateway/ports.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import type { Contract } from '../../protocol/contract.ts'
import { formatDocument, type SignedDocument } from '../../protocol/contract-jws.ts'
import {
  contractOf as anyContract,
  signedContract,
  type ContractSignerOfTests,
} from '../support/contracts.ts'
import { BANK, pairOfGateways, REGISTRY, silent, type Pair } from './support.ts'
import { NOW } from '../pki/support.ts'

const dir = mkdtempSync(join(tmpdir(), 'contracts-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
let pair: Pair
let keys: KeyPair
let store: ContractStore
let file: string
beforeAll(async () => {
  pair = await pairOfGateways()
  keys = await generateKey('P-256')
})
beforeEach(() => {
  file = join(dir, `${crypto.randomUUID()}.db`)
  store = openContractStore(file)
})

const by = (member: string): ContractSignerOfTests => ({
  ...{ member, thumbprint: 'A'.repeat(43), privateKey: keys.privateKey, signedAt: NOW },
})
const contractOf = (changes: Partial<Contract> = {}): Contract =>
  anyContract({ client: `${BANK}/KYC`, service: `${REGISTRY}/POP/people`, ...changes })
const agreed = (changes: Partial<Contract> = {}): SignedDocument<Contract> =>
  signedContract(contractOf(changes), by(BANK), by(REGISTRY))
const revocation = ({ digest }: SignedDocument): SignedDocument =>
  signedContract(
    { version: 1, kind: 'revocation', contract: digest, reason: 'complaint' },
    by(REGISTRY),
  )
const call = (changes: Partial<ContractCall> = {}): ContractCall => ({
  clients: [`${BANK}/KYC`, BANK],
  service: `${REGISTRY}/POP/people`,
  classification: undefined,
  method: 'GET',
  servicePath: '/one',
  purpose: 'kyc',
  userId: undefined,
  issue: undefined,
  hasToken: false,
  bodySize: 0,
  at: NOW,
  ...changes,
})
const refused = (code: string, clause = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(clause) as string }) as unknown

describe('the store', () => {
  it('finds a contract that comes after its pair was asked for, and one that is revoked then', () => {
    const found = () =>
      store.agreedFor(`${REGISTRY}/POP/people`, [`${BANK}/KYC`]).map((held) => held.digest)
    const [first, second] = [agreed(), agreed({ purposes: ['aml'] })]
    store.put(first, 'catalogue')
    expect(found()).toEqual([first.digest])
    store.put(second, 'catalogue')
    expect(new Set(found())).toEqual(new Set([first.digest, second.digest]))
    store.put(revocation(first), 'catalogue')
    const held = store.agreedFor(`${REGISTRY}/POP/people`, [`${BANK}/KYC`])
    expect(held.find(({ digest }) => digest === first.digest)?.statement?.kind).toBe('revocation')
  })

  it('joins signatures that come one by one, and keeps a revocation for good', () => {
    const contract = agreed()
    const { content, digest } = contract
    store.put(signedContract(content, by(BANK)), 'catalogue')
    expect(store.byDigest(digest)?.isAgreed).toBe(false)
    store.put(signedContract(content, by(REGISTRY)), 'catalogue')
    expect(store.byDigest(digest)?.isAgreed).toBe(true)
    store.put(revocation(contract), 'catalogue')
    store[Symbol.dispose]()
    store = openContractStore(file)
    expect(store.put(contract, 'catalogue')).toBe(false)
    expect(store.byDigest(digest)?.statement?.kind).toBe('revocation')
    expect(() => createContracts(store).verify(digest, call())).toThrow(
      refused('contract.revoked', content.id),
    )
    expect(() => new DatabaseSync(file).exec('DELETE FROM document')).toThrow(/never forgotten/)
  })

  it('takes the same revocation by both members for one', () => {
    const contract = agreed()
    store.put(contract, 'catalogue')
    const first = revocation(contract)
    store.put(first, 'own')
    const second = signedContract(first.content, by(BANK))
    expect(store.put(second, 'catalogue')).toBe(false)
    store[Symbol.dispose]()
    store = openContractStore(file)
    expect(store.byDigest(contract.digest)?.statement?.by).toBe(REGISTRY)
  })

  it('hands in what is ours until it is taken, and again when the catalogue has lost it', () => {
    const contract = agreed()
    store.put(contract, 'own')
    expect(store.unsent()).toHaveLength(1)
    expect(createContracts(store).choose(call())).toBeUndefined()
    store.noteSent(contract.digest)
    expect(store.unsent()).toHaveLength(0)
    expect(createContracts(store).choose(call())).toBe(contract.digest)
    store.sendAgain()
    expect(store.unsent()).toHaveLength(1)
  })

  it('finds the one contract among 10,000, after a start', () => {
    const db = new DatabaseSync(file)
    const insert = db.prepare(
      'INSERT INTO document (digest, contract, jws, isOwn, isSent) VALUES (?, ?, ?, 0, 1)',
    )
    db.exec('BEGIN')
    const signature = { ...signedContract(contractOf(), by(BANK), by(REGISTRY)) }.signatures
    let last = ''
    for (let i = 0; i < 10_000; i += 1) {
      const content = contractOf({ service: `${REGISTRY}/POP/s${i % 10_000}` })
      const unsigned = { ...signedContract({ ...content, client: `${BANK}/C${i}` }) }
      insert.run(
        unsigned.digest,
        unsigned.digest,
        formatDocument({ ...unsigned, signatures: signature }),
      )
      last = unsigned.digest
    }
    db.exec('COMMIT')
    db.close()
    store[Symbol.dispose]()
    store = openContractStore(file)
    const contracts = createContracts(store)
    const one = call({ service: `${REGISTRY}/POP/s9999`, clients: [`${BANK}/C9999`, BANK] })
    expect(contracts.choose(one)).toBe(last)
  })
})

describe('a call', () => {
  it.each<[string, Partial<Contract>, Partial<ContractCall>, string, string]>([
    ['too early', { validFrom: '2998-01-01T00:00:00Z' }, {}, 'contract.not-yet-valid', 'validFrom'],
    ['too late', { validUntil: '2020-01-02T00:00:00Z' }, {}, 'contract.expired', 'validUntil'],
    ['of another method', {}, { method: 'POST' }, 'access.denied', 'endpoints'],
    ['of another path', {}, { servicePath: '/two' }, 'access.denied', 'endpoints'],
    [
      'of a path in two readings',
      {},
      { servicePath: '/a%2Fone' },
      'access.path-ambiguous',
      'endpoints',
    ],
    ['without a purpose', {}, { purpose: undefined }, 'access.purpose-missing', 'purposes'],
    ['for another purpose', {}, { purpose: 'x' }, 'access.purpose-denied', 'purposes'],
    ['without a user', { user: 'named' }, {}, 'access.user-missing', 'user'],
    ['without a case', { case: true }, {}, 'access.case-missing', 'case'],
    ['without a token', { user: 'token' }, { userId: 'u' }, 'access.token-missing', 'user'],
    [
      'of a personal service without a user',
      {},
      { classification: 'personal' },
      'access.user-missing',
      'personal',
    ],
    [
      'of a sensitive service without a case',
      {},
      { classification: 'sensitive', userId: 'u' },
      'access.case-missing',
      'sensitive',
    ],
    [
      'with a long body',
      { maxBodyBytes: 10 },
      { bodySize: 11 },
      'request.body-too-large',
      'maxBodyBytes',
    ],
  ])('%s is refused by the clause, on both sides', (_name, clauses, changes, code, clause) => {
    const contract = agreed(clauses)
    store.put(contract, 'catalogue')
    const contracts = createContracts(store)
    const attempts = [
      () => contracts.choose(call(changes)),
      () => contracts.verify(contract.digest, call(changes)),
    ]
    for (const attempt of attempts) {
      expect(attempt).toThrow(refused(code, clause))
      expect(attempt).toThrow(refused(code, contract.content.id))
    }
  })

  it('is not allowed by the contract of another client, for another service, or half signed', () => {
    const contracts = createContracts(store)
    const attempt = (document: SignedDocument) => {
      store.put(document, 'catalogue')
      return () => contracts.verify(document.digest, call())
    }
    expect(attempt(agreed({ client: `${BANK}/OTHER` }))).toThrow(refused('contract.unknown'))
    expect(attempt(agreed({ service: `${REGISTRY}/POP/other` }))).toThrow(
      refused('contract.unknown'),
    )
    const half = signedContract(contractOf(), by(BANK))
    expect(attempt(half)).toThrow(refused('contract.unknown'))
    expect(() => contracts.verify('B'.repeat(43), call())).toThrow(refused('contract.unknown'))
  })
})

it('a document is believed by its signatures only, whoever hands it on', async () => {
  const { view, keys: own } = pair
  const logger = silent
  const verify = async (): Promise<void> => {}
  const catalogue = { current: () => view }
  const intake = createContractIntake({
    ...{ store, catalogue, trust: { verify }, clock: () => NOW, logger },
  })
  expect(own.bank.certificate.notAfter > NOW).toBe(true)
  await intake.take(formatDocument(agreed()))
  expect([...store.all()]).toHaveLength(0)
  expect(store.pending()).toHaveLength(1)
  const forged: ContractSignerOfTests = {
    ...by(BANK),
    thumbprint: own.bank.certificate.thumbprint,
  }
  await intake.take(formatDocument(signedContract(contractOf(), forged)))
  await intake.take('{}')
  await intake.retry()
  expect([...store.all()]).toHaveLength(0)
  expect(store.pending()).toHaveLength(1)
})

it('tells of contracts that end soon, unless another follows', () => {
  const soon = agreed({
    validUntil: new Date(NOW.getTime() + 5 * 86_400_000).toISOString().replace(/\.\d+/, ''),
  })
  store.put(soon, 'catalogue')
  store.put(agreed(), 'catalogue')
  expect(endingContracts(store, NOW).map(({ held }) => held.digest)).toEqual([soon.digest])
  store.put(agreed({ follows: soon.digest }), 'catalogue')
  expect(endingContracts(store, NOW)).toEqual([])
})
