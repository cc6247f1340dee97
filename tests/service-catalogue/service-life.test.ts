import { beforeEach, afterEach, describe, expect, it } from 'vitest'
import { startTestCatalogue, until, type Answer, type Running } from './support.ts'

const DAY = 86_400_000
const PATH = '/admin/services/GOV/MOI/REG/persons'
const ID = 'KH-DEV/GOV/MOI/REG/persons'

let running: Running
beforeEach(async () => {
  running = await startTestCatalogue()
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  await running.call('PUT', '/admin/subsystems/GOV/MOI/REG', { body: { name: 'Register' } })
})
afterEach(() => running[Symbol.asyncDispose]())

const V1 = {
  openapi: '3.1.0',
  info: { title: 'Persons', version: '1' },
  paths: { '/persons/{id}': { get: {} }, '/persons': { get: {} } },
}
const BREAKING = { ...V1, paths: { '/persons/{id}': { get: {} } } }
const COMPATIBLE = { ...V1, paths: { ...V1.paths, '/births': { get: {} } } }
const EDITORIAL = { ...V1, info: { title: 'ប្រជាជន', version: '1' } }

const put = (description: unknown, more: object = {}): Promise<Answer> =>
  running.call('PUT', PATH, { body: { title: 'Persons', description, ...more } })
const post = (step: string, body: object = {}): Promise<Answer> =>
  running.call('POST', `${PATH}/${step}`, { body })
const get = async () => (await running.call('GET', PATH)).body
const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]
const inDays = (days: number): string =>
  new Date(running.clock.now.getTime() + days * DAY).toISOString()
const published = async () =>
  (await running.snapshot()).members[0]?.subsystems[0]?.services.find((s) => s.code === 'persons')
const types = async (): Promise<unknown> => {
  const { body } = await running.call('GET', '/events', { token: undefined })
  return (body.events as { type: string; version: string }[]).map((e) => `${e.type} ${e.version}`)
}
async function pass(days: number): Promise<void> {
  running.clock.now = new Date(running.clock.now.getTime() + days * DAY)
}

describe('a change of a published service', () => {
  it('gets the version that it needs, when it breaks nobody', async () => {
    await put(V1)
    expect((await put(COMPATIBLE)).body).toMatchObject({ version: '1.1.0', state: 'published' })
    expect((await put(COMPATIBLE)).body.version).toBe('1.1.0')
    expect((await put({ ...COMPATIBLE, info: EDITORIAL.info })).body.version).toBe('1.1.1')
    expect(await published()).toMatchObject({ version: '1.1.1' })
    expect(outcome(await put({ ...COMPATIBLE, 'x-more': 1 }, { version: '1.1.1' }))).toEqual([
      409,
      'service.version-too-low',
    ])
    const events = ['service.published 1.0.0', 'service.changed 1.1.0', 'service.changed 1.1.1']
    expect(await types()).toEqual(events)
  })

  it('that breaks consumers needs a new major version, and takes effect when they had notice', async () => {
    const { descriptionDigest: old } = (await put(V1)).body
    for (const version of [undefined, '1.9.0', '1.0.0']) {
      const answer = await put(BREAKING, version === undefined ? {} : { version })
      expect(outcome(answer)).toEqual([409, 'service.version-too-low'])
      expect(answer.body.detail).toContain('2.0.0')
      expect(answer.body.detail).toContain('/paths/~1persons')
    }
    const answer = await put(BREAKING, { version: '2.0.0' })
    expect([answer.status, answer.body.version]).toEqual([202, '1.0.0'])
    const planned = { version: '2.0.0', effectiveAt: inDays(30), level: 'breaking' }
    expect(answer.body.planned).toMatchObject(planned)
    expect((await put(BREAKING, { version: '2.0.0' })).status).toBe(202)
    expect(await published()).toMatchObject({ descriptionDigest: old })
    await pass(29.99)
    await new Promise((done) => setTimeout(done, 100))
    expect((await get()).version).toBe('1.0.0')
    await pass(0.02)
    await until(async () => (await get()).version === '2.0.0')
    expect(await get()).not.toHaveProperty('planned')
    const now = await published()
    expect(now?.version).toBe('2.0.0')
    expect(now?.endpoints).toHaveLength(1)
    expect(now?.descriptionDigest).not.toBe(old)
    expect(await types()).toEqual([
      'service.published 1.0.0',
      'service.change-planned 2.0.0',
      'service.changed 2.0.0',
    ])
  })

  it('cannot be put in force early without a reason, not by another way either', async () => {
    await put(V1)
    const early = { version: '2.0.0', effectiveAt: inDays(1) }
    expect(outcome(await put(BREAKING, early))).toEqual([409, 'service.change-too-early'])
    expect(outcome(await put(undefined, early))).toEqual([409, 'service.change-too-early'])
    expect(outcome(await running.call('DELETE', PATH))).toEqual([409, 'service.change-too-early'])
    expect(outcome(await put(BREAKING, { state: 'draft' }))).toEqual([
      409,
      'service.state-conflict',
    ])
    expect(outcome(await put(BREAKING, { ...early, effectiveAt: 'soon', reason: 'x' }))).toEqual([
      422,
      'admin.invalid',
    ])
    const shortened = await put(BREAKING, { ...early, reason: 'the old answers were wrong' })
    expect(shortened.body.planned).toMatchObject({
      effectiveAt: early.effectiveAt,
      reason: 'the old answers were wrong',
    })
    const { body } = await running.call('GET', `${PATH}/history`)
    expect(JSON.stringify(body.events)).toContain('the old answers were wrong')
  })

  it('waits until the planned one is in force or withdrawn', async () => {
    await put(V1)
    await put(BREAKING, { version: '2.0.0' })
    expect(outcome(await put(COMPATIBLE))).toEqual([409, 'service.state-conflict'])
    expect((await put(V1)).status).toBe(200)
    expect((await post('withdraw')).body).not.toHaveProperty('planned')
    expect(outcome(await post('withdraw'))).toEqual([409, 'service.state-conflict'])
    expect((await put(COMPATIBLE)).body.version).toBe('1.1.0')
  })

  it('that waits takes another title and mode, and no other time', async () => {
    await put(V1)
    await put(BREAKING, { version: '2.0.0' })
    const more = { title: 'People', validation: 'enforce' }
    const answer = await put(BREAKING, more)
    expect([answer.status, answer.body]).toEqual([202, await get()])
    expect(answer.body).toMatchObject({ title: 'Persons', planned: more })
    const early = { ...more, effectiveAt: inDays(1), reason: 'in a hurry' }
    expect(outcome(await put(BREAKING, early))).toEqual([409, 'service.state-conflict'])
    expect((await put(BREAKING, { ...more, effectiveAt: inDays(30) })).status).toBe(202)
    await pass(31)
    await until(async () => (await get()).version === '2.0.0')
    expect(await get()).toMatchObject(more)
  })

  it('is compared without being made', async () => {
    await put(V1)
    expect((await post('compare', { description: BREAKING })).body).toMatchObject({
      version: '1.0.0',
      level: 'breaking',
      lowestVersion: '2.0.0',
      effectiveAt: inDays(30),
      differences: [{ level: 'breaking', pointer: '/paths/~1persons' }],
    })
    expect((await post('compare', { description: V1 })).body.level).toBe('none')
    expect((await post('compare', { description: EDITORIAL })).body.level).toBe('editorial')
    expect(await get()).toMatchObject({ version: '1.0.0' })
  })

  it('survives a restart while it waits', async () => {
    await put(V1)
    await put(BREAKING, { version: '2.0.0' })
    const { authority, config, clock } = running
    await running[Symbol.asyncDispose]()
    clock.now = new Date(clock.now.getTime() + 31 * DAY)
    running = await startTestCatalogue({ authority, config, clock })
    await until(async () => (await get()).version === '2.0.0')
  })
})

describe('the life of a service', () => {
  it('begins as a draft that is in no snapshot and no event', async () => {
    await put(V1, { state: 'draft', version: '0.1.0' })
    expect(await published()).toBeUndefined()
    expect((await put(BREAKING, { version: '0.2.0' })).body).toMatchObject({ state: 'draft' })
    expect(await types()).toEqual([])
    expect((await post('publish')).body).toMatchObject({ state: 'published', version: '0.2.0' })
    expect(await published()).toMatchObject({ version: '0.2.0' })
    expect(await types()).toEqual(['service.published 0.2.0'])
  })

  it('ends by itself on the day that consumers were told', async () => {
    await put(V1)
    await running.call('PUT', `${PATH}2`, { body: { title: 'Persons 2' } })
    const successor = `${ID}2`
    const sunset = inDays(31)
    expect(outcome(await post('deprecate', { sunset: inDays(29) }))).toEqual([
      409,
      'service.change-too-early',
    ])
    for (const wrong of [ID, 'KH-DEV/GOV/MOI/REG/none', '']) {
      const answer = await post('deprecate', { sunset, successor: wrong })
      expect(outcome(answer)).toEqual([422, 'admin.invalid'])
    }
    const deprecatedAt = running.clock.now.toISOString()
    const { body } = await post('deprecate', { sunset, successor })
    const life = { deprecatedAt, sunset, successor }
    expect(body).toMatchObject({ state: 'deprecated', ...life })
    expect(await published()).toMatchObject({ state: 'deprecated', ...life })
    expect(outcome(await post('retire'))).toEqual([409, 'service.change-too-early'])
    await pass(31.01)
    await until(async () => (await get()).state === 'retired')
    expect(await published()).toMatchObject({ state: 'retired', sunset, successor })
    expect(outcome(await put(V1))).toEqual([409, 'service.state-conflict'])
    expect(outcome(await post('publish'))).toEqual([409, 'service.state-conflict'])
    expect((await running.call('DELETE', PATH)).status).toBe(204)
    expect((await types()) as string[]).toContain('service.retired 1.0.0')
  })

  it('may go on after all, or end at once for a reason', async () => {
    await put(V1)
    await post('deprecate', { sunset: inDays(40) })
    expect((await post('deprecate', { sunset: inDays(41) })).status).toBe(200)
    expect((await post('publish')).body).not.toHaveProperty('sunset')
    const reason = 'the register is closed'
    expect((await post('retire', { reason })).body).toMatchObject({ state: 'retired' })
    const { body } = await running.call('GET', `${PATH}/history`)
    expect((body.events as { data: object }[]).at(-1)?.data).toEqual({ reason })
  })
})
