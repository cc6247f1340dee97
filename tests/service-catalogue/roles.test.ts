import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PERMITTED, ROLES, type Role } from '../../runtime/roles.ts'
import type { CatalogueContext } from '../../service-catalogue/context.ts'
import { createCatalogueRoutes } from '../../service-catalogue/routes.ts'
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

// Only the table is looked at: nothing of the context is used before a route is called.
const routes = createCatalogueRoutes({} as CatalogueContext).filter((r) => r.access !== 'public')
/** Of what is not the operator's alone, and no reading for everybody: so that no word in a route changes unseen. */
const WRITTEN: Record<string, string> = {
  'GET /admin/events': 'auditor',
  'GET /admin/audit': 'auditor',
  'POST /admin/members/:class/:member/certificates': 'member-admin',
  'DELETE /admin/members/:class/:member/certificates/:thumbprint': 'member-admin',
  'PUT /admin/subsystems/:class/:member/:subsystem': 'member-admin',
  'DELETE /admin/subsystems/:class/:member/:subsystem': 'member-admin',
  'POST /admin/gateways/:class/:member/:gateway/certificates': 'member-admin',
  'DELETE /admin/gateways/:class/:member/:gateway/certificates/:thumbprint': 'member-admin',
  'PUT /admin/services/:class/:member/:subsystem/:service': 'service-owner',
  'DELETE /admin/services/:class/:member/:subsystem/:service': 'member-admin',
  'POST /admin/keys': 'member-admin',
  'DELETE /admin/keys/:id': 'member-admin',
  'POST /admin/requests': 'service-owner',
  'POST /admin/requests/:id/withdraw': 'service-owner',
  'POST /admin/webhooks': 'service-owner',
  'POST /admin/webhooks/:id/resume': 'service-owner',
  'DELETE /admin/webhooks/:id': 'service-owner',
  'POST /admin/services/:class/:member/:subsystem/:service/compare': 'service-owner',
  'POST /admin/services/:class/:member/:subsystem/:service/deprecate': 'service-owner',
  'POST /admin/services/:class/:member/:subsystem/:service/publish': 'service-owner',
  'POST /admin/services/:class/:member/:subsystem/:service/retire': 'service-owner',
  'POST /admin/services/:class/:member/:subsystem/:service/withdraw': 'service-owner',
  'PUT /admin/services/:class/:member/:subsystem/:service/entry': 'service-owner',
}
const cases = routes.flatMap(({ method, path, access }) =>
  ROLES.map((role) => ({ role, method, path, access: access as keyof typeof PERMITTED })),
)

describe('the table of routes', () => {
  it('lets others than the operator only read, but for what is written here', () => {
    const others = routes.filter((r) => r.access !== 'admin' && r.access !== 'reader')
    expect(Object.fromEntries(others.map((r) => [`${r.method} ${r.path}`, r.access]))).toEqual(
      WRITTEN,
    )
    expect(routes.filter((r) => r.access === 'reader' && r.method !== 'GET')).toEqual([])
  })

  it.each(cases.filter(({ role, access }) => !PERMITTED[access].includes(role)))(
    'refuses $method $path to a $role',
    async ({ role, method, path }) => {
      const answer = await as(role, method, path.replaceAll(/:\w+/g, 'X'))
      expect(outcome(answer)).toEqual([403, 'admin.not-permitted'])
    },
  )

  it.each(cases.filter(({ access }) => access === 'reader'))(
    'does not refuse $method $path to a $role for its role',
    async ({ role, method, path }) => {
      const filled = path.replace(':class/:member', 'GOV/A').replaceAll(/:\w+/g, 'X')
      expect((await as(role, method, filled)).body.code).toBeOneOf([undefined, 'admin.not-found'])
    },
  )

  const own = routes.filter(
    ({ path, access }) => path.includes(':member') && access !== 'admin' && access !== 'reader',
  )
  it.each(own)('keeps $method $path from the administrator of another member', async (route) => {
    const path = route.path.replace(':class/:member', 'GOV/B').replaceAll(/:\w+/g, 'S')
    expect(outcome(await as('member-admin', route.method, path, {}))).toEqual([
      403,
      'admin.not-permitted',
    ])
  })
})

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
