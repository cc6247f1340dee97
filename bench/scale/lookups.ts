/** What a call looks up, on the functions that a gateway calls for it. */
import { join } from 'node:path'
import { openSettings } from '../../gateway/access/settings.ts'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import { grantSubjects } from '../../gateway/catalogue-view.ts'
import { createContracts } from '../../gateway/contracts/contracts.ts'
import { openContractStore } from '../../gateway/contracts/store.ts'
import { covers } from '../../protocol/endpoint.ts'
import { formatId, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { Snapshot } from '../../protocol/snapshot.ts'
import { pairs } from './country.ts'

const CALLS = 20_000

export interface LookUps {
  /** Microseconds each, at the mean over 20,000 calls of other pairs. */
  readonly serviceUs: number
  readonly grantUs: number
  readonly contractUs: number
  /** The same of a thousand pairs that call again and again. */
  readonly grantAgainUs: number
  readonly contractAgainUs: number
}

/** @param stateDir of a gateway with grants and contracts. */
export function measureLookUps(stateDir: string, snapshot: Snapshot): LookUps {
  const view = indexSnapshot(snapshot)
  using settings = openSettings(join(stateDir, 'settings.db'))
  using store = openContractStore(join(stateDir, 'contracts.db'))
  const contracts = createContracts(store)
  const all = [...pairs()]
  const calls = Array.from({ length: CALLS }, (_, i) => {
    const { client, service } = all[(i * 7919) % all.length]!
    return { client: readClientId(client), service: readServiceId(service) }
  })
  const regular = calls.map((_, i) => calls[i % 1000]!)
  const mean = (work: (call: (typeof calls)[number]) => void, of = calls): number => {
    of.slice(0, 2000).forEach(work)
    const begun = performance.now()
    of.forEach(work)
    return Math.round(((performance.now() - begun) / CALLS) * 10_000) / 10
  }
  const path = '/v1/records'
  const serviceUs = mean(({ service: { service: code, ...subsystem }, client }) => {
    const found = view.service({ ...subsystem, service: code })
    const gateways = view.gatewaysOf(formatId(subsystem))
    if (found === undefined || gateways.length === 0 || !view.isRegistered(client)) throw missing()
  })
  const findGrant = ({ client, service }: (typeof calls)[number]): void => {
    const grants = settings.grantsFor(formatId(service), grantSubjects(client, view))
    if (!grants.some(({ endpoints }) => covers(endpoints, 'GET', path))) throw missing()
  }
  const at = new Date()
  const findContract = ({ client, service }: (typeof calls)[number]): void => {
    const id = formatId(service)
    const [held] = store.agreedFor(id, grantSubjects(client, view))
    const servicePath = held!.content.endpoints[0]!.path
    const clients = grantSubjects(client, view)
    const asked = { purpose: 'identity', userId: undefined, issue: undefined, hasToken: false }
    const call = { clients, service: id, method: 'GET', servicePath, bodySize: 0, at, ...asked }
    const chosen = contracts.choose({ ...call, classification: 'public' })
    if (chosen === undefined) throw missing()
    contracts.verify(chosen, { ...call, classification: 'public' })
  }
  return {
    serviceUs,
    grantUs: mean(findGrant),
    contractUs: mean(findContract),
    grantAgainUs: mean(findGrant, regular),
    contractAgainUs: mean(findContract, regular),
  }
}

const missing = (): TypeError => new TypeError('something that is there was not found')
