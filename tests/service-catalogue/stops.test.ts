import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  await running.call('PUT', '/admin/subsystems/GOV/MOI/REG', { body: { name: 'Register' } })
  await running.call('PUT', '/admin/services/GOV/MOI/REG/persons', { body: { title: 'Persons' } })
})
afterAll(() => running[Symbol.asyncDispose]())

const stop = (id: string, body: unknown): Promise<Answer> =>
  running.call('PUT', `/admin/stops/${id}`, { body })
const listed = async (): Promise<unknown[]> =>
  ((await running.call('GET', '/admin/stops')).body as unknown as { stops: unknown[] }).stops

it('are set for a member, a subsystem or a service, are listed, and are lifted', async () => {
  for (const id of ['GOV/MOI/REG/persons', 'GOV/MOI', 'GOV/MOI/REG']) {
    const { status, body } = await stop(id, { reason: 'key lost' })
    expect([status, body.subject, body.reason]).toEqual([201, `KH-DEV/${id}`, 'key lost'])
    expect(Date.parse(String(body.since))).not.toBeNaN()
  }
  expect(await listed()).toHaveLength(3)
  for (const id of ['GOV/MOI', 'GOV/MOI/REG', 'GOV/MOI/REG/persons']) {
    expect((await running.call('DELETE', `/admin/stops/${id}`)).status).toBe(204)
  }
  expect(await listed()).toEqual([])
  expect((await running.call('DELETE', '/admin/stops/GOV/MOI')).body.code).toBe('admin.not-found')
})

it('keep the time at which they were set when their reason is changed', async () => {
  const { since } = (await stop('GOV/MOI', { reason: 'one' })).body
  const changed = await stop('GOV/MOI', { reason: 'two' })
  expect([changed.status, changed.body]).toEqual([
    200,
    { subject: 'KH-DEV/GOV/MOI', since, reason: 'two' },
  ])
})

it('are refused without a reason, and for what is not registered', async () => {
  const wrong: [id: string, body: unknown][] = [
    ['GOV/MOI', {}],
    ['GOV/MOI', { reason: ' ' }],
    ['GOV/MOI', { reason: 'x', until: '2030' }],
    ['GOV/NOBODY', { reason: 'x' }],
    ['GOV/MOI/NOTHING', { reason: 'x' }],
    ['GOV/MOI/REG/nothing', { reason: 'x' }],
  ]
  for (const [id, body] of wrong) {
    const answer = await stop(id, body)
    expect([id, answer.status, answer.body.code]).toEqual([id, 422, 'admin.invalid'])
  }
})
