import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { isPublicAddress } from '../../service-catalogue/public-address.ts'
import type { Webhook } from '../../service-catalogue/webhooks.ts'
import type { ServiceEvent } from '../../service-catalogue/service-events.ts'
import { startTestCatalogue, until, type Running } from './support.ts'
import { startReceiver, verifiedByPython, type Receiver } from './webhook-receiver.ts'

let running: Running
let receiver: Receiver
beforeEach(async () => {
  running = await startTestCatalogue({ overrides: { webhooksToPrivateAddresses: true } })
  receiver = await startReceiver(running.authority)
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  await running.call('PUT', '/admin/subsystems/GOV/MOI/REG', { body: { name: 'Register' } })
})
afterEach(async () => {
  await running[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})

const put = (code: string, more: object = {}) =>
  running.call('PUT', `/admin/services/GOV/MOI/REG/${code}`, { body: { title: code, ...more } })
const subscribe = async (more: object = {}): Promise<string> => {
  const url = `https://localhost:${receiver.port}/events?for=us`
  const { body, status } = await running.call('POST', '/admin/webhooks', {
    body: { url, ...more },
  })
  expect(status).toBe(201)
  return body.id as string
}
const eventOf = (jwt: string): ServiceEvent => decodeJwt<{ event: ServiceEvent }>(jwt).event
const webhooks = async () =>
  (await running.call('GET', '/admin/webhooks')).body.webhooks as Record<string, unknown>[]
const description = (...paths: string[]) => ({
  openapi: '3.1.0',
  info: { title: 'x', version: '1' },
  paths: Object.fromEntries(paths.map((path) => [path, { get: {} }])),
})
const wait = (days: number): void => {
  running.clock.now = new Date(running.clock.now.getTime() + days * 86_400_000)
}

describe('a webhook', () => {
  it('is told of a breaking change before it takes effect, signed by the catalogue', async () => {
    await put('persons', { description: description('/a', '/b') })
    await subscribe()
    await put('persons', { description: description('/a'), version: '2.0.0' })
    await until(() => receiver.got.length === 1)
    const [jwt = ''] = receiver.got
    expect(receiver.types).toEqual(['application/jwt'])
    const { keys } = (await running.call('GET', '/jwks', { token: undefined })).body as {
      keys: { kid: string }[]
    }
    const [head = '', claims = ''] = verifiedByPython(jwt, keys[0]!)
    expect(JSON.parse(head)).toEqual({ alg: 'ES256', kid: keys[0]?.kid, typ: 'spean-event+jwt' })
    expect(running.catalogue.anchor().keys[0]).toMatchObject(keys[0]!)
    const event = {
      type: 'service.change-planned',
      service: 'KH-DEV/GOV/MOI/REG/persons',
      version: '2.0.0',
      data: {
        from: '1.0.0',
        level: 'breaking',
        effectiveAt: new Date(running.clock.now.getTime() + 30 * 86_400_000).toISOString(),
        differences: [{ level: 'breaking', pointer: '/paths/~1b' }],
      },
    }
    const told = JSON.parse(claims) as { jti: string; event: ServiceEvent }
    expect(told).toMatchObject({ iss: 'KH-DEV', event })
    expect(told).toMatchObject({ aud: `https://localhost:${receiver.port}/events?for=us` })
    expect(told.jti).toBe(told.event.id)
    const altered = jwt.replace(/\.[^.]{4}/, '.eyJh')
    expect(() => verifiedByPython(altered, keys[0]!)).toThrow()
    wait(31)
    await until(() => receiver.got.length === 2)
    expect(eventOf(receiver.got[1]!)).toMatchObject({ type: 'service.changed', version: '2.0.0' })
  })

  it('hears of its services alone', async () => {
    await subscribe({ services: ['KH-DEV/GOV/MOI/REG/b'] })
    for (const code of ['a', 'b', 'c', 'b2']) await put(code)
    await until(async () => (await webhooks())[0]?.position === 4)
    expect(receiver.got.map((jwt) => eventOf(jwt).service)).toEqual(['KH-DEV/GOV/MOI/REG/b'])
  })

  it('of a member is its own affair: listed, resumed and removed within the scope, and few', async () => {
    const keyOf = async (role: string, ...scope: string[]): Promise<{ token: string }> => {
      const body = { name: role, role, person: role, ...(scope.length > 0 ? { scope } : {}) }
      const made = await running.call('POST', '/admin/keys', { body })
      return { token: made.body.key as string }
    }
    await running.call('PUT', '/admin/members/GOV/MOH', { body: { name: 'Health' } })
    await running.call('PUT', '/admin/subsystems/GOV/MOH/X', { body: { name: 'X' } })
    const [interior, health, owner, auditor] = await Promise.all([
      keyOf('member-admin', 'KH-DEV/GOV/MOI'),
      keyOf('member-admin', 'KH-DEV/GOV/MOH'),
      keyOf('service-owner', 'KH-DEV/GOV/MOI/REG'),
      keyOf('auditor'),
    ])
    const body = { url: `https://localhost:${receiver.port}/` }
    const before = running.catalogue.snapshotNumber()
    const { body: made } = await running.call('POST', '/admin/webhooks', { ...interior, body })
    expect(made).toMatchObject({ scope: ['KH-DEV/GOV/MOI'] })
    const hook = `/admin/webhooks/${made.id as string}`
    const seen = async (by: { token: string }) =>
      (await running.call('GET', '/admin/webhooks', by)).body.webhooks
    expect(await seen(health)).toEqual([])
    expect(await seen(owner)).toEqual([])
    expect(await seen(interior)).toMatchObject([{ id: made.id }])
    expect(await seen(auditor)).toMatchObject([{ id: made.id }])
    expect((await running.call('POST', '/admin/webhooks', { ...owner, body })).status).toBe(201)
    expect(await seen(interior)).toHaveLength(2)
    for (const by of [health, owner]) {
      const refused = [404, 'admin.not-found']
      const resumed = await running.call('POST', `${hook}/resume`, { ...by, body: {} })
      expect([resumed.status, resumed.body.code]).toEqual(refused)
      const removed = await running.call('DELETE', hook, by)
      expect([removed.status, removed.body.code]).toEqual(refused)
    }

    await running.call('PUT', '/admin/services/GOV/MOH/X/b', { body: { title: 'b' } })
    await put('a')
    await until(async () => ((await seen(interior)) as Webhook[]).every((w) => w.position === 2))
    // Once for each of both: what the ministry offers itself, and nothing of those it has no contract with
    expect(receiver.got.map((jwt) => eventOf(jwt).service)).toEqual([
      'KH-DEV/GOV/MOI/REG/a',
      'KH-DEV/GOV/MOI/REG/a',
    ])
    for (let n = 3; n <= 20; n += 1) {
      expect((await running.call('POST', '/admin/webhooks', { ...owner, body })).status).toBe(201)
    }
    const full = await running.call('POST', '/admin/webhooks', { ...interior, body })
    expect([full.status, full.body.code]).toEqual([409, 'admin.conflict'])
    expect((await running.call('POST', '/admin/webhooks', { ...health, body })).status).toBe(201)
    expect((await running.call('DELETE', hook, interior)).status).toBe(204)
    expect(running.catalogue.snapshotNumber()).toBe(before + 2)
  })

  it('is told again until it answers well, in order, under the same id, over a restart', async () => {
    receiver.status = 307
    await subscribe()
    await put('a')
    await put('b')
    await until(() => receiver.got.length === 1)
    await until(async () => (await webhooks())[0]?.attempts === 1)
    expect((await webhooks())[0]).toMatchObject({ position: 0, lastError: 'answered 307' })
    await new Promise((done) => setTimeout(done, 100))
    expect(receiver.got).toHaveLength(1)
    const { authority, config, clock } = running
    await running[Symbol.asyncDispose]()
    receiver.status = 200
    running = await startTestCatalogue({ authority, config, clock })
    await new Promise((done) => setTimeout(done, 100))
    expect(receiver.got).toHaveLength(1)
    wait(0.001)
    await until(() => receiver.got.length === 3)
    const [first, again, second] = receiver.got.map((jwt) => decodeJwt(jwt).jti)
    expect(again).toBe(first)
    expect(second).not.toBe(first)
    expect(decodeProtectedHeader(receiver.got[2]!).typ).toBe('spean-event+jwt')
    await until(async () => (await webhooks())[0]?.position === 2)
    expect((await webhooks())[0]).not.toHaveProperty('lastError')
  })

  it('that does not answer holds back no other', async () => {
    const silent = await startReceiver(running.authority)
    onTestFinished(() => silent[Symbol.asyncDispose]())
    silent.status = 0
    const url = `https://localhost:${silent.port}/`
    await running.call('POST', '/admin/webhooks', { body: { url } })
    await subscribe()
    await put('a')
    await until(() => silent.got.length === 1)
    await put('b')
    await until(() => receiver.got.length === 2)
    expect((await webhooks()).find((hook) => hook.url === url)).toMatchObject({ attempts: 0 })
  })

  it('is given up after a week, until it is resumed', async () => {
    receiver.status = 500
    const id = await subscribe()
    await put('a')
    await until(async () => (await webhooks())[0]?.attempts === 1)
    wait(7)
    await until(async () => (await webhooks())[0]?.suspended === true)
    receiver.status = 204
    const { body } = await running.call('POST', `/admin/webhooks/${id}/resume`, { body: {} })
    expect(body).toMatchObject({ suspended: false })
    await until(async () => (await webhooks())[0]?.position === 1)
    expect((await running.call('DELETE', `/admin/webhooks/${id}`)).status).toBe(204)
    expect(await webhooks()).toEqual([])
  })

  it('never is at a private address, by number or by name, unless that is configured', async () => {
    const { authority } = running
    const strict = await startTestCatalogue({ authority })
    onTestFinished(() => strict[Symbol.asyncDispose]())
    await strict.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
    await strict.call('PUT', '/admin/subsystems/GOV/MOI/REG', { body: { name: 'Register' } })
    const hosts = ['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0x7f.1']
    for (const host of hosts) {
      const url = `https://${host}:${receiver.port}/`
      await strict.call('POST', '/admin/webhooks', { body: { url } })
    }
    await strict.call('PUT', '/admin/services/GOV/MOI/REG/a', { body: { title: 'a' } })
    const errors = async (): Promise<unknown[]> => {
      const { body } = await strict.call('GET', '/admin/webhooks')
      return (body.webhooks as Record<string, unknown>[]).map(({ lastError }) => lastError)
    }
    await until(async () => (await errors()).every((error) => error !== undefined))
    expect(await errors()).toEqual(hosts.map(() => 'ADDRESS_REFUSED'))
    expect(receiver.got).toEqual([])
  })

  it.each(['http://example.org/', 'https://u:p@example.org/', 'ftp://x', 'x', 'https://x/#y'])(
    'cannot be %s',
    async (url) => {
      const { status, body } = await running.call('POST', '/admin/webhooks', { body: { url } })
      expect([status, body.code]).toEqual([422, 'admin.invalid'])
    },
  )
})

it('the feed holds who is willing to wait until there is an event of their service', async () => {
  const path = '/events?after=0&service=KH-DEV/GOV/MOI/REG/b'
  const options = { token: undefined, headers: { prefer: 'wait=60' } }
  let isAnswered = false
  const waiting = running.call('GET', path, options).finally(() => (isAnswered = true))
  await put('a')
  expect((await running.call('GET', '/events?after=0')).body.next).toBe(1)
  expect(isAnswered).toBe(false)
  await put('b')
  const { body, headers } = await waiting
  expect(body).toMatchObject({ events: [{ position: 2, type: 'service.published' }], next: 2 })
  expect(headers.get('preference-applied')).toBe('wait')
})

it.each([
  ['8.8.8.8', true],
  ['2606:4700::1111', true],
  ['10.1.2.3', false],
  ['100.64.0.1', false],
  ['169.254.169.254', false],
  ['172.31.0.1', false],
  ['172.32.0.1', true],
  ['192.168.0.1', false],
  ['0.0.0.0', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::ffff:8.8.8.8', false],
  ['64:ff9b::a00:1', false],
  ['fe80::1%eth0', false],
  ['fd00::1', false],
  ['2001:db8::1', false],
  ['2002:7f00:1::', false],
  ['example.org', false],
])('address %s is public: %s', (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic)
})
