/** What a provider's gateway makes of the contract that another gateway names, in a call and in a question. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { createContracts } from '../../gateway/contracts/contracts.ts'
import { openContractStore, type ContractStore } from '../../gateway/contracts/store.ts'
import { requestExchange, serveExchange } from '../../gateway/exchange.ts'
import { createFindings, type Findings } from '../../gateway/explain/findings.ts'
import { explainProviderSide } from '../../gateway/explain/provider-side.ts'
import type { ClientGateway } from '../../gateway/ports.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import type { Contract } from '../../protocol/contract.ts'
import type { SignedDocument } from '../../protocol/contract-jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { NOW } from '../pki/support.ts'
import { contractOf, signedContract } from '../support/contracts.ts'
import { BANK, CLIENT, pairOfGateways, REGISTRY, SERVICE, type Pair } from './support.ts'

let pair: Pair
let keys: KeyPair
let store: ContractStore
beforeAll(async () => {
  keys = await generateKey('P-256')
})
beforeEach(async () => {
  pair = await pairOfGateways()
  const dir = mkdtempSync(join(tmpdir(), 'named-'))
  store = openContractStore(join(dir, 'contracts.db'))
  onTestFinished(() => {
    store[Symbol.dispose]()
    rmSync(dir, { recursive: true, force: true })
  })
})

function signed(client: string, ...members: readonly string[]): SignedDocument<Contract> {
  const endpoints = [{ method: 'POST', path: '/persons/*' }]
  const content = contractOf({ client, service: SERVICE, purposes: [], endpoints })
  const thumbprint = 'A'.repeat(43)
  const { privateKey } = keys
  const by = members.map((member) => ({ member, thumbprint, privateKey, signedAt: NOW }))
  return signedContract(content, ...by)
}

/** A call whose client's gateway names a contract, whatever the client is. */
function callNaming(digest: string): Promise<unknown> {
  const contracts = { ...createContracts(store), lookFor: () => Promise.resolve() }
  const provider = { ...pair.provider.gw, contracts }
  const send: ClientGateway['peers']['send'] = async (_gateway, message) => {
    await serveExchange(pair.received(message), provider)
    throw new TypeError('what it answers is of no interest')
  }
  const own = { ...pair.client.gw.contracts, choose: () => digest }
  return requestExchange(pair.asked(), { ...pair.client.gw, contracts: own, peers: { send } })
}

it('a contract of a group is one for who is in the group, and unknown to others who name it', async () => {
  const banks = signed('group:banks', REGISTRY)
  store.put(banks, 'catalogue')
  await expect(callNaming(banks.digest)).rejects.toThrow('of no interest')
  expect(pair.called).toEqual(['POST /persons/1'])

  pair = await pairOfGateways()
  const ministries = signed('group:ministries', REGISTRY)
  store.put(ministries, 'catalogue')
  await expect(callNaming(ministries.digest)).rejects.toMatchObject({
    ...{ code: 'contract.unknown', step: 'authorise' },
    basis: { snapshot: 7, contract: ministries.digest },
    // Whose it is, is not told.
    message: expect.not.stringContaining('ministries') as string,
  })
  expect(pair.called).toEqual([])
})

/** What the provider's gateway says to a question that names a contract. */
async function explained(
  digest: string,
  own: { readonly lookFor?: () => void; readonly verifyStamped?: () => void },
): Promise<Findings> {
  const { lookFor = () => {}, verifyStamped = () => {} } = own
  const contracts = { ...createContracts(store), lookFor: async () => lookFor() }
  const gw = {
    ...{ ...pair.provider.gw, contracts },
    quotas: { peek: async () => undefined },
    services: { verifyConnected: () => {} },
    validation: { verifyCall: async () => ({ mode: 'off' }) },
  }
  const said = { client: CLIENT, method: 'POST', target: `/r1/${SERVICE}/persons/1` }
  const question = { ...said, contract: digest, hasToken: false }
  const findings = createFindings('provider')
  const side = { gw, verifyBodySize: () => {}, verifyStamped }
  await explainProviderSide(question, pair.view, side, findings)
  return findings
}
const refusals = ({ checks }: Findings) => checks.filter(({ outcome }) => outcome === 'refuses')

it('a question about a contract that is not here yet looks for it, as a call does', async () => {
  const contract = signed(CLIENT, BANK, REGISTRY)
  expect(refusals(await explained(contract.digest, {}))).toMatchObject([
    { code: 'contract.unknown', step: 'authorise' },
  ])
  const lookFor = (): void => void store.put(contract, 'catalogue')
  expect(refusals(await explained(contract.digest, { lookFor }))).toEqual([])
})

it('a question is told that the log of the provider waits for a time-stamp', async () => {
  const contract = signed(CLIENT, BANK, REGISTRY)
  store.put(contract, 'catalogue')
  const verifyStamped = (): never => {
    throw new ExchangeError('log.unstamped', 'since this morning')
  }
  expect(refusals(await explained(contract.digest, { verifyStamped }))).toMatchObject([
    { code: 'log.unstamped', step: 'record-request', move: 'provider-gateway' },
  ])
})
