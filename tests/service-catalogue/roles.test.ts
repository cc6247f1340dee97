import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROLES, type Role } from '../../runtime/roles.ts'
import { INSTANCE, startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
const keys = {} as Record<Role, string>
beforeAll(async () => {
  running = await startTestCatalogue()
  for (const member of ['A', 'B']) {
    await running.call('PUT', `/admin/members/GOV/${member}`, { body: { name: member } })
    await running.call('PUT', `/admin/subsystems/GOV/${member}/S`, { body: { name: 'S' } })
    await running.call('PUT', `/admin/services/GOV/${member}/S/old`, { body: { title: 'Old' } })
  }
  const scopes: Partial<Record<Role, string>> = { 'member-admin': 'A', 'service-owner': 'A/S' }
  for (const role of ROLES) {
    const scope = scopes[role] && [`${INSTANCE}/GOV/${scopes[role]}`]
    const body = { name: role, role, person: role, ...(scope ? { scope } : {}) }
    const { body: made } = await running.call('POST', '/admin/keys', { body })
    keys[role] = made.key as string
  }
})
afterAll(() => running[Symbol.asyncDispose]())

const as = (role: Role, method: string, path: string, body?: unknown): Promise<Answer> =>
  running.call(method, path, { token: keys[role], ...(body === undefined ? {} : { body }) })
const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]

describe('a scope', () => {
  it('has changes within it, and none outside', async () => {
    const service = (id: string) => `/admin/services/GOV/${id}`
    const body = { title: 'New' }
    expect((await as('service-owner', 'PUT', service('A/S/old'), body)).status).toBe(200)
    for (const other of ['B/S/old', 'A/T/old', 'A/Sx/old']) {
      const answer = await as('service-owner', 'PUT', service(other), body)
      expect(outcome(answer)).toEqual([403, 'admin.not-permitted'])
    }
    const fresh = await as('service-owner', 'PUT', service('A/S/new'), body)
    expect(outcome(fresh)).toEqual([403, 'admin.approval-needed'])
  })

  it('is not left by making a key', async () => {
    const make = (body: object) => as('member-admin', 'POST', '/admin/keys', { name: 'k', ...body })
    const scope = [`${INSTANCE}/GOV/B/S`]
    const not = [403, 'admin.not-permitted']
    expect(outcome(await make({ role: 'service-owner', scope }))).toEqual(not)
    expect(outcome(await make({ role: 'admin' }))).toEqual(not)
    expect(outcome(await make({ role: 'auditor' }))).toEqual(not)
    const person = { role: 'service-owner', scope: [`${INSTANCE}/GOV/A/S`], person: 'x' }
    expect(outcome(await make(person))).toEqual([422, 'admin.invalid'])
  })
})

describe('an API key', () => {
  const make = async (by: Role | undefined, more: object) => {
    const body = { name: 'k', role: 'member-admin', scope: [`${INSTANCE}/GOV/A`], ...more }
    const token = by === undefined ? {} : { token: keys[by] }
    return (await running.call('POST', '/admin/keys', { body, ...token })).body
  }
  const whoami = async (token: unknown) =>
    outcome(await running.call('GET', '/admin/whoami', { token: token as string }))

  it('ends, is revoked, and takes with it those that it made', async () => {
    const first = await make('admin', { person: 'P', days: 2 })
    const token = first.key as string
    const child = (
      await running.call('POST', '/admin/keys', {
        token,
        body: { name: 'c', role: 'service-owner', scope: [`${INSTANCE}/GOV/A/S`], days: 30 },
      })
    ).body
    expect([child.expiresAt, child.person]).toEqual([first.expiresAt, 'p'])
    expect(await whoami(child.key)).toEqual([200, undefined])
    const { body } = await running.call('GET', '/admin/keys')
    expect(JSON.stringify(body)).not.toContain(token)
    const listed = (body.keys as { id: string; lastUsedAt?: string }[]).find(
      ({ id }) => id === child.id,
    )
    expect(listed?.lastUsedAt).toBe(running.clock.now.toISOString())
    await running.call('DELETE', `/admin/keys/${String(first.id)}`)
    expect(await whoami(first.key)).toEqual([401, 'admin.unauthenticated'])
    expect(await whoami(child.key)).toEqual([401, 'admin.unauthenticated'])
    const short = await make(undefined, { person: 'P', days: 1 })
    const { now } = running.clock
    running.clock.now = new Date(now.getTime() + 86_400_000)
    expect(await whoami(short.key)).toEqual([401, 'admin.unauthenticated'])
    running.clock.now = now
    expect(await whoami(short.key)).toEqual([200, undefined])
    expect(await whoami('spk_nobody')).toEqual([401, 'admin.unauthenticated'])
  })
})
