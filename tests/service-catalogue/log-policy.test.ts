import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { catalogueWitnessName, logOrigin, witnessName } from '../../protocol/checkpoint.ts'
import { readGatewayId } from '../../protocol/identifiers.ts'
import { formatVkey, NOTE_TYPE, noteVerifier, type NoteType } from '../../protocol/signed-note.ts'
import { parsePolicy, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import { GATEWAY, hold, register as registerAt, type Held } from './registrations.ts'
import { startTestCatalogue, type Answer, type Running } from './support.ts'

const id = readGatewayId(GATEWAY)
const CATALOGUE = catalogueWitnessName('KH-DEV')
const HOST = 'https://gw.moi.example:5577'
const PATH = '/admin/gateways/GOV/MOI/MOI-1'
const vkey = (name: string, type: NoteType = NOTE_TYPE.ed25519): string =>
  formatVkey(noteVerifier(name, generateKeyPairSync('ed25519').privateKey, type))
const ofWitness = (name: string): string => vkey(name, NOTE_TYPE.cosignature)
const log = { vkey: vkey(logOrigin(id)), url: `${HOST}/log` }
const witness = { vkey: ofWitness(witnessName(id)), url: `${HOST}/witness` }

let running: Running
let own: Held
beforeAll(async () => {
  running = await startTestCatalogue()
  await put('/admin/authorities/test', { certificates: running.authority.pems })
  await put('/admin/members/GOV/MOI', { name: 'MOI' })
  await put('/admin/subsystems/GOV/MOI/POP', { name: 'Population' })
  own = await hold(running)
})
afterAll(() => running[Symbol.asyncDispose]())

const put = (path: string, body: object): Promise<Answer> => running.call('PUT', path, { body })
const register = (change: object): Promise<Answer> => registerAt(running, own, { change })
const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]
const policy = async (): Promise<TlogPolicy | undefined> => {
  const { logPolicy } = await running.snapshot()
  return logPolicy === undefined ? undefined : parsePolicy(logPolicy)
}
const urlsOf = async (): Promise<unknown> =>
  (await policy())?.logs.map(({ verifier, url }) => [verifier.name, url])

it('what a gateway registers of itself stands in the snapshot, beside the catalogue as a witness', async () => {
  expect((await register({ log, witness })).status).toBe(201)
  expect(await urlsOf()).toEqual([[logOrigin(id), log.url]])
  const { witnesses, quorum } = (await policy())!
  expect(quorum).toBe('none')
  expect(witnesses.map(({ name, url }) => [name, url])).toEqual([
    [witnessName(id), witness.url],
    [CATALOGUE, `${running.catalogue.url}/witness`],
  ])
  expect((await register({ log: { ...log, url: `${HOST}/moved` }, witness })).status).toBe(200)
  expect(await urlsOf()).toEqual([[logOrigin(id), `${HOST}/moved`]])
})

it.each<[string, () => object, unknown[]]>([
  ['another key of a log', () => ({ log: { vkey: vkey(logOrigin(id)) } }), NOT_ALLOWED()],
  [
    'the log of another',
    () => ({ log: { vkey: vkey('spean/KH-DEV/GOV/TAX/T-1/log') } }),
    NOT_ALLOWED(),
  ],
  [
    'a name that only begins like its log',
    () => ({ log: { vkey: vkey(`${logOrigin(id)}1`) } }),
    NOT_ALLOWED(),
  ],
  [
    'another key of its witness',
    () => ({ witness: { ...witness, vkey: ofWitness(witnessName(id)) } }),
    NOT_ALLOWED(),
  ],
  [
    'the witness of the catalogue',
    () => ({ witness: { ...witness, vkey: ofWitness(CATALOGUE) } }),
    NOT_ALLOWED(),
  ],
  [
    'a log with the type of a witness',
    () => ({ log: { vkey: ofWitness(logOrigin(id)) } }),
    MALFORMED(),
  ],
  ['a witness without address', () => ({ witness: { vkey: witness.vkey } }), MALFORMED()],
  ['an address with a space', () => ({ log: { ...log, url: `${HOST}/a b` } }), MALFORMED()],
  [
    'an address with a line',
    () => ({ log: { ...log, url: `${HOST}/a\nquorum none` } }),
    MALFORMED(),
  ],
  ['a key that is none', () => ({ log: { vkey: 'x+00000000+AAAA' } }), MALFORMED()],
])('a gateway may not register %s', async (_, change, refusal) => {
  const before = await policy()
  expect(outcome(await register(change()))).toEqual(refusal)
  expect(await policy()).toEqual(before)
})
function NOT_ALLOWED(): unknown[] {
  return [403, 'registration.not-allowed']
}
function MALFORMED(): unknown[] {
  return [400, 'registration.malformed']
}

it('the operator adds the key of a log that lost its own, and that of before stays', async () => {
  const next = { vkey: vkey(logOrigin(id)), url: log.url }
  expect((await put(`${PATH}/log-keys`, next)).status).toBe(201)
  expect((await policy())?.logs.map(({ verifier }) => formatVkey(verifier))).toEqual([
    log.vkey,
    next.vkey,
  ])
  expect((await register({ log: next })).status).toBe(200)
})

it('the key of the next log is for the operator: a stolen certificate begins none', async () => {
  const second = { vkey: vkey(logOrigin(id, 2)), url: log.url }
  expect(outcome(await register({ log: second }))).toEqual(NOT_ALLOWED())
  expect((await policy())?.logs).toHaveLength(2)
  expect((await put(`${PATH}/log-keys`, second)).status).toBe(201)
  expect((await register({ log: second })).status).toBe(200)
  const third = { vkey: vkey(logOrigin(id, 3)) }
  expect(outcome(await register({ log: third }))).toEqual(NOT_ALLOWED())
  expect((await policy())?.logs).toHaveLength(3)
})

it('a key that a stranger registered is taken out, once the owner has one', async () => {
  const keysOf = async (): Promise<string[] | undefined> =>
    (await policy())?.logs.map(({ verifier }) => formatVkey(verifier))
  const take = (key: string): Promise<Answer> =>
    running.call('DELETE', `${PATH}/log-keys/${encodeURIComponent(key)}`)
  const before = (await keysOf())!
  const strange = vkey(logOrigin(id))
  expect(outcome(await take(strange))).toEqual([404, 'admin.not-found'])
  expect((await put(`${PATH}/log-keys`, { vkey: strange })).status).toBe(201)
  expect(await keysOf()).toContain(strange)
  expect((await take(strange)).status).toBe(204)
  expect(await keysOf()).toEqual(before)
  expect(outcome(await register({ log: { vkey: strange } }))).toEqual(NOT_ALLOWED())
  const { events } = (await running.call('GET', '/admin/events')).body as {
    events: { action: string; subject: string }[]
  }
  const removals = events.filter(({ action }) => action === 'delete-log-key')
  expect(removals.map(({ subject }) => subject)).toEqual([expect.stringContaining(strange)])

  // With none listed the next that registers would be taken: the stranger may be faster.
  for (const key of before.slice(1)) expect((await take(key)).status).toBe(204)
  expect(outcome(await take(before[0]!))).toEqual([409, 'admin.conflict'])
  expect(await keysOf()).toEqual(before.slice(0, 1))
  for (const key of before.slice(1)) await put(`${PATH}/log-keys`, { vkey: key })
})

it('a quorum is set only if it can be met, and who is needed for it stays', async () => {
  const set = (body: object): Promise<Answer> => put('/admin/witness-policy', body)
  expect(outcome(await set({ threshold: 3 }))).toEqual([409, 'admin.conflict'])
  expect(outcome(await set({ threshold: 1, witnesses: ['nobody'] }))).toEqual([
    409,
    'admin.conflict',
  ])
  expect(outcome(await set({ text: 'witness x y\nquorum none' }))).toEqual([422, 'admin.invalid'])
  expect(outcome(await set({ text: 'group g 1 nobody\nquorum g' }))).toEqual([
    409,
    'admin.conflict',
  ])
  expect(outcome(await set({}))).toEqual([422, 'admin.invalid'])
  expect((await set({ threshold: 2 })).status).toBe(200)
  expect((await policy())?.groups).toMatchObject([{ threshold: 2, members: { length: 2 } }])
  expect(outcome(await running.call('DELETE', PATH))).toEqual([409, 'admin.conflict'])
  expect(outcome(await running.call('DELETE', `${PATH}/witness`))).toEqual([409, 'admin.conflict'])

  const other = { vkey: ofWitness('witness.example'), url: 'https://witness.example/w/' }
  expect((await put('/admin/witnesses/example', other)).status).toBe(201)
  expect((await set({ text: `group g any example\nquorum g` })).status).toBe(200)
  expect(outcome(await running.call('DELETE', '/admin/witnesses/example'))).toEqual([
    409,
    'admin.conflict',
  ])
  expect((await running.call('DELETE', `${PATH}/witness`)).status).toBe(204)
  expect((await set({ quorum: 'none' })).status).toBe(200)
  expect((await running.call('DELETE', '/admin/witnesses/example')).status).toBe(204)
  expect((await policy())?.witnesses.map(({ name }) => name)).toEqual([CATALOGUE])
})

it('keys of logs stay when their gateway is removed', async () => {
  expect((await running.call('DELETE', PATH)).status).toBe(204)
  expect((await policy())?.logs).toHaveLength(3)
})
