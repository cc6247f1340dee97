import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EMPTY_HEAD, followChain, type AuditRow } from '../../runtime/audit-chain.ts'
import { GATEWAY, hold, POP, register } from './registrations.ts'
import { INSTANCE, startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
let owner: string
let second: string
let other: string
beforeAll(async () => {
  running = await startTestCatalogue({ overrides: { registration: 'approval' } })
  const { pems } = running.authority
  await running.call('PUT', '/admin/authorities/test', { body: { certificates: pems } })
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'MOI' } })
  const key = async (role: string, person: string, scope?: string[]): Promise<string> => {
    const body = { name: `${role} of ${person}`, role, person, ...(scope ? { scope } : {}) }
    return (await running.call('POST', '/admin/keys', { body })).body.key as string
  }
  owner = await key('member-admin', 'Dara', [`${INSTANCE}/GOV/MOI`])
  second = await key('admin', 'DARA')
  other = await key('admin', 'Sophea')
})
afterAll(() => running[Symbol.asyncDispose]())

const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]
const post = (token: string, path: string, body: object): Promise<Answer> =>
  running.call('POST', `/admin/requests${path}`, { token, body })
const pop = { kind: 'subsystem', id: POP, body: { name: 'Population' }, reason: 'law 12' }
const reason = 'seen'

describe('a request', () => {
  it('is checked, waits, and is registered when another person has approved it', async () => {
    const asked = await post(owner, '', pop)
    expect([asked.status, asked.body]).toMatchObject([201, { state: 'pending', subject: POP }])
    expect(outcome(await post(owner, '', pop))).toEqual([409, 'admin.conflict'])
    const subsystems = async () => (await running.call('GET', '/admin/subsystems')).body.subsystems
    expect(await subsystems()).toEqual([])
    const id = String(asked.body.id)
    const not = [403, 'admin.not-permitted']
    expect(outcome(await post(owner, `/${id}/approve`, { reason }))).toEqual(not)
    const own = await post(second, `/${id}/approve`, { reason })
    expect(outcome(own)).toEqual([403, 'admin.own-request'])
    expect(outcome(await post(other, `/${id}/approve`, {}))).toEqual([422, 'admin.invalid'])
    const approved = await post(other, `/${id}/approve`, { reason })
    expect(approved.body).toMatchObject({ state: 'approved', decision: reason })
    expect(await subsystems()).toEqual([{ id: POP, name: 'Population' }])
    expect(outcome(await post(other, `/${id}/refuse`, { reason }))).toEqual([409, 'admin.conflict'])
    const { body } = await running.call('GET', '/admin/events')
    const actions = (body.events as { action: string; actor: string }[]).slice(-3)
    expect(actions.map(({ action }) => action)).toEqual([
      'request-subsystem',
      'put-subsystem',
      'approve-subsystem',
    ])
    expect(actions[1]?.actor).toMatch(/^admin of Sophea \(key \w+\)$/)
  })

  it('that could not be carried out is refused at once, and changes nothing', async () => {
    const bad = { ...pop, id: `${INSTANCE}/GOV/MOI/X`, body: { name: '' } }
    expect(outcome(await post(owner, '', bad))).toEqual([422, 'admin.invalid'])
    const service = { kind: 'service', id: `${INSTANCE}/GOV/MOI/X/s`, body: { title: 'S' }, reason }
    expect(outcome(await post(owner, '', service))).toEqual([404, 'admin.not-found'])
    const foreign = { ...pop, id: `${INSTANCE}/GOV/MOF/X` }
    expect(outcome(await post(owner, '', foreign))).toEqual([403, 'admin.not-permitted'])
  })

  it('is taken back by who asked, or refused with a reason', async () => {
    const service = { kind: 'service', id: `${POP}/s`, body: { title: 'S' }, reason }
    const first = await post(owner, '', service)
    const withdrawn = await post(owner, `/${String(first.body.id)}/withdraw`, { reason })
    expect(withdrawn.body.state).toBe('withdrawn')
    const again = await post(owner, '', service)
    const refused = await post(other, `/${String(again.body.id)}/refuse`, { reason: 'no law' })
    expect(refused.body).toMatchObject({ state: 'refused', decision: 'no law' })
    const { body } = await running.call('GET', '/admin/requests?state=refused', { token: owner })
    expect(body.requests).toMatchObject([{ subject: `${POP}/s` }])
    expect((await running.call('GET', '/admin/services')).body.services).toEqual([])
  })
})

describe('a new gateway where the operator approves', () => {
  it('waits as one request, however often it registers, and is registered afterwards', async () => {
    const own = await hold(running)
    const pending = [403, 'registration.approval-pending']
    expect(outcome(await register(running, own))).toEqual(pending)
    expect(outcome(await register(running, own))).toEqual(pending)
    const change = { address: 'https://other.example:5500' }
    expect(outcome(await register(running, own, { change }))).toEqual(pending)
    const { body } = await running.call('GET', '/admin/requests?state=pending')
    const requests = body.requests as { id: string; subject: string; body: unknown }[]
    expect(requests).toMatchObject([{ subject: GATEWAY, body: { ...change, clients: [POP] } }])
    const id = requests[0]!.id
    await post(other, `/${id}/refuse`, { reason: 'unknown host' })
    const refused = await register(running, own, { change })
    expect(outcome(refused)).toEqual([403, 'registration.not-allowed'])
    expect(refused.body.detail).toContain('unknown host')
    expect(outcome(await register(running, own))).toEqual(pending)
    const next = (await running.call('GET', '/admin/requests?state=pending')).body.requests
    const [waiting] = next as { id: string }[]
    expect((await post(other, `/${waiting!.id}/approve`, { reason })).status).toBe(200)
    expect((await register(running, own)).status).toBe(200)
  })
})

describe('the audit trail', () => {
  const rows = async (): Promise<AuditRow[]> =>
    (await running.call('GET', '/admin/audit')).body.rows as AuditRow[]

  it('has what was done and what was refused, by whom, and no secret', async () => {
    await running.call('PUT', '/admin/members/GOV/MOF', {
      body: { name: 'MOF' },
      token: 'stranger',
    })
    await running.call('PUT', '/admin/members/GOV/MOF?token=x', { body: {} })
    const all = await rows()
    const entries = all.slice(-2).map(({ entry }) => entry)
    const what = { method: 'PUT', path: '/admin/members/GOV/MOF', from: '127.0.0.1' }
    expect(entries[0]).toMatchObject({ ...what, result: 'admin.unauthenticated', status: 401 })
    expect(entries[0]).not.toHaveProperty('who')
    expect(entries[1]).toMatchObject({ ...what, who: 'administrator', result: 'admin.invalid' })
    const results = all.map(({ entry }) => entry.result)
    expect(results).toContain('admin.own-request')
    expect(results.filter((result) => result === 'ok').length).toBeGreaterThan(5)
    const text = JSON.stringify(all)
    for (const secret of [owner, second, 'stranger', running.catalogue.adminToken]) {
      expect(text).not.toContain(secret)
    }
  })

  it('shows an entry that was altered, removed or cut off', async () => {
    const all = await rows()
    const whole = followChain(EMPTY_HEAD, all)
    expect(whole).toEqual((await running.call('GET', '/admin/audit')).body.head)
    const altered = all.map((row, i) =>
      i === 3 ? { ...row, entry: { ...row.entry, who: 'Nobody' } } : row,
    )
    expect(followChain(EMPTY_HEAD, altered)).toMatch(/^entry 4 was altered/)
    expect(followChain(EMPTY_HEAD, all.toSpliced(3, 1))).toMatch(/^entry 4 is missing/)
    const file = join(running.config.stateDir, 'catalogue.db')
    using db = new DatabaseSync(file)
    expect(() => db.exec('DELETE FROM audit_act WHERE position = 4')).toThrow('append-only')
    expect(() => db.exec("UPDATE audit_act SET hash = 'x'")).toThrow('append-only')
  })

  it('counts strangers who are too many to be listed', async () => {
    const before = (await rows()).length
    for (let i = 0; i < 70; i++) await running.call('GET', '/admin/members', { token: 'no' })
    expect((await rows()).length - before).toBeLessThanOrEqual(60)
    await running.call('PUT', '/admin/members/GOV/MOF', { body: { name: 'MOF' } })
    expect((await rows()).at(-1)?.entry.omitted).toBeGreaterThanOrEqual(10)
  })
})
