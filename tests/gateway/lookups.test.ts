/** What a call looks up by an index is what going over all would find, whatever happened before. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { openSettings } from '../../gateway/access/settings.ts'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import { openContractStore, type HeldContract } from '../../gateway/contracts/store.ts'
import type { Grant } from '../../gateway/exchange-state.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { formatId, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { Snapshot, SnapshotGateway } from '../../protocol/snapshot.ts'
import { NOW, temporaryFolder } from '../pki/support.ts'
import { contractOf, signedContract } from '../support/contracts.ts'
import { pairOfGateways, type Pair } from './support.ts'

let pair: Pair
let keys: KeyPair
beforeAll(async () => {
  pair = await pairOfGateways()
  keys = await generateKey('P-256')
})

const few = fc.integer({ min: 0, max: 3 })
const subject = few.map(
  (n) => ['KH-TEST/COM/BANK/KYC', 'KH-TEST/COM/BANK', 'group:a', 'group:b'][n]!,
)
const service = few.map((n) => `KH-TEST/GOV/REG/POP/s${n}`)
const subjects = fc.array(subject, { maxLength: 5 })

it('grants on a service for some subjects are those of all that fit, in their order', () => {
  const step = fc.oneof(
    fc.record({ verb: fc.constant('grant' as const), id: few, subject, service }),
    fc.record({ verb: fc.constant('revoke' as const), id: few }),
    fc.record({ verb: fc.constant('restart' as const) }),
    fc.record({ verb: fc.constant('ask' as const), service, subjects }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const file = join(temporaryFolder(), 'settings.db')
      let settings = openSettings(file)
      let all: Grant[] = []
      let given = 0
      for (const taken of steps) {
        if (taken.verb === 'grant') {
          const id = `g${given++}-${taken.id}`
          const endpoints = [{ method: 'GET', path: `/${id}` }]
          const { subject, service } = taken
          all.push({ id, subject, service, endpoints, grantedAt: NOW })
          settings.grant(all.at(-1)!)
        } else if (taken.verb === 'revoke') {
          const gone = all[taken.id]
          if (gone === undefined) continue
          settings.revoke(gone.id)
          all = all.filter((grant) => grant !== gone)
        } else if (taken.verb === 'restart') {
          settings[Symbol.dispose]()
          settings = openSettings(file)
        } else {
          const fits = (g: Grant) =>
            g.service === taken.service && taken.subjects.includes(g.subject)
          expect(settings.grantsFor(taken.service, taken.subjects)).toEqual(all.filter(fits))
        }
        expect(settings.grants()).toEqual(all)
      }
      settings[Symbol.dispose]()
    }),
    { numRuns: 40 },
  )
})

it('contracts for a service and some clients are those of all that fit, the newest signed first', () => {
  const by = (member: string, at: number) => ({
    ...{ member, thumbprint: 'A'.repeat(43), privateKey: keys.privateKey },
    signedAt: new Date(NOW.getTime() + at * 1000),
  })
  const step = fc.oneof(
    fc.record({ verb: fc.constant('put' as const), subject, service, half: fc.boolean() }),
    fc.record({ verb: fc.constant('revoke' as const), which: few }),
    fc.record({ verb: fc.constantFrom('restart' as const, 'old program' as const) }),
    fc.record({ verb: fc.constant('ask' as const), service, subjects }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const file = join(temporaryFolder(), 'contracts.db')
      let store = openContractStore(file)
      const put: string[] = []
      for (const [at, taken] of steps.entries()) {
        if (taken.verb === 'put') {
          const content = contractOf({ client: taken.subject, service: taken.service })
          const provider = by('KH-TEST/GOV/REG', at)
          const others =
            taken.half || taken.subject.startsWith('group:') ? [] : [by('KH-TEST/COM/BANK', at)]
          const document = signedContract(content, ...others, provider)
          store.put(document, 'catalogue')
          put.push(document.digest)
        } else if (taken.verb === 'revoke') {
          const contract = put[taken.which]
          if (contract === undefined) continue
          const content = { version: 1, kind: 'revocation', contract, reason: 'x' } as const
          store.put(signedContract(content, by('KH-TEST/GOV/REG', at)), 'catalogue')
        } else if (taken.verb === 'ask') {
          const fits = ({ isAgreed, content }: HeldContract) =>
            isAgreed && content.service === taken.service && taken.subjects.includes(content.client)
          const newestFirst = [...store.all()].filter(fits).toReversed()
          const clients = [...new Set(taken.subjects)]
          expect(store.agreedFor(taken.service, clients)).toEqual(newestFirst)
        } else {
          store[Symbol.dispose]()
          if (taken.verb === 'old program') {
            using db = new DatabaseSync(file)
            db.exec('DELETE FROM contract; PRAGMA user_version = 1') // it knew no index
          }
          store = openContractStore(file)
        }
        expect([...store.all()].map(({ digest }) => digest)).toEqual(put)
        for (const held of store.all()) expect(store.byDigest(held.digest)).toEqual(held)
      }
      store[Symbol.dispose]()
    }),
    { numRuns: 25 },
  )
}, 30_000)

it('services, gateways and groups in the view of a snapshot are those of the snapshot', () => {
  const member = few.map((n) => `KH-TEST/GOV/M${n}`)
  const client = fc.tuple(member, few).map(([m, n]) => `${m}/S${n}`)
  const offers = fc.array(
    few.map((n) => ({ code: `s${n}` })),
    { maxLength: 4 },
  )
  const snapshot = fc.record({
    offers: fc.dictionary(client, offers, { maxKeys: 6 }),
    gateways: fc.array(fc.array(client, { maxLength: 5 }), { maxLength: 4 }),
    groups: fc.array(fc.array(fc.oneof(member, client), { maxLength: 5 }), { maxLength: 4 }),
  })
  const made = ({
    offers,
    gateways,
    groups,
  }: typeof snapshot extends fc.Arbitrary<infer T> ? T : never): Snapshot => ({
    ...pair.snapshot,
    members: Object.entries(offers).map(([id, services], place) => ({
      ...{ id: id.split('/', 3).join('/'), name: id, signingCertificates: [] },
      subsystems: [
        {
          ...{ code: id.split('/')[3]!, name: id },
          services: services.map(({ code }, i) => ({
            ...{ code, title: `${place}.${i}`, type: 'REST' as const, endpoints: [] },
          })),
        },
      ],
    })),
    gateways: gateways.map((clients, n): SnapshotGateway => ({
      ...{ id: `KH-TEST/GOV/G/${n}`, address: 'https://g:1', certificates: [], clients },
    })),
    groups: groups.map((members, n) => ({ code: `g${n}`, title: '', members })),
  })
  fc.assert(
    fc.property(snapshot.map(made), client, few, (given, id, n) => {
      const view = indexSnapshot(given)
      const all = given.members.flatMap((m) =>
        m.subsystems.map((s) => ({ ...s, id: `${m.id}/${s.code}` })),
      )
      const found = all.find((subsystem) => subsystem.id === id)
      const asked = readServiceId(`${id}/s${n}`)
      expect(view.service(asked)).toEqual(found?.services.find(({ code }) => code === `s${n}`))
      expect(view.servicesOf(id)).toEqual(found?.services)
      const speaking = given.gateways.filter(({ clients }) => clients.includes(id))
      expect([...new Set(view.gatewaysOf(id).map((gateway) => gateway.id))]).toEqual(
        speaking.map((gateway) => gateway.id),
      )
      const reader = readClientId(id)
      const inGroups = given.groups.filter(({ members }) => members.includes(formatId(reader)))
      const direct = view.groupsOf(reader)
      for (const { code } of inGroups) expect(direct).toContain(code)
    }),
    { numRuns: 200 },
  )
})
