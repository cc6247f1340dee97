import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adminPath, startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
})
afterAll(() => running[Symbol.asyncDispose]())

const put = (path: string, body: unknown): Promise<Answer> => running.call('PUT', path, { body })
const remove = (path: string): Promise<Answer> => running.call('DELETE', path)
const refusal = ({ status, body }: Answer): unknown[] => [status, body.code]

const INVALID = [422, 'admin.invalid']
const NOT_FOUND = [404, 'admin.not-found']
const CONFLICT = [409, 'admin.conflict']

describe('members and subsystems', () => {
  it('are created with 201, replaced with 200, and listed', async () => {
    const created = await put('/admin/members/GOV/MOI', { name: 'Interior' })
    expect([created.status, created.body]).toEqual([
      201,
      { id: 'KH-DEV/GOV/MOI', name: 'Interior', certificates: [] },
    ])
    const replaced = await put('/admin/members/GOV/MOI', { name: 'Ministry of Interior' })
    expect([replaced.status, replaced.body.name]).toEqual([200, 'Ministry of Interior'])
    expect((await put('/admin/subsystems/GOV/MOI/REG', { name: 'Register' })).status).toBe(201)
    const one = await running.call('GET', '/admin/members/GOV/MOI')
    const all = await running.call('GET', '/admin/members')
    expect(all.body.members).toEqual([one.body])
    const subsystems = await running.call('GET', '/admin/subsystems')
    expect(subsystems.body.subsystems).toEqual([{ id: 'KH-DEV/GOV/MOI/REG', name: 'Register' }])
  })

  it('carry Khmer names and codes through to the snapshot', async () => {
    const member = 'ក្រសួងមហាផ្ទៃ'
    const subsystem = 'អត្រានុកូលដ្ឋាន'
    const name = 'អគ្គនាយកដ្ឋានអត្តសញ្ញាណកម្ម'
    expect((await put(adminPath('members', 'GOV', member), { name })).status).toBe(201)
    const path = adminPath('subsystems', 'GOV', member, subsystem)
    expect((await put(path, { name })).body.id).toBe(`KH-DEV/GOV/${member}/${subsystem}`)
    const { members } = await running.snapshot()
    expect(members.find(({ id }) => id.endsWith(member))).toMatchObject({
      name,
      subsystems: [{ code: subsystem, name, services: [] }],
    })
  })

  it.each([
    ['a class that the instance does not have', adminPath('members', 'EDU', 'X')],
    ['a slash in a code', adminPath('members', 'GOV', 'A/B')],
    ['a leading dot', adminPath('members', 'GOV', '.x')],
    ['a control character', adminPath('members', 'GOV', 'a\nb')],
    ['a code that is not in NFC', adminPath('members', 'GOV', 'e\u0301')],
    ['a code that is too long', adminPath('members', 'GOV', 'x'.repeat(129))],
  ])('refuses %s', async (_, path) => {
    expect(refusal(await put(path, { name: 'x' }))).toEqual(INVALID)
  })

  it.each([
    ['no name', {}],
    ['a blank name', { name: ' ' }],
    ['a control character', { name: 'a\u0000b' }],
    ['a name that is no text', { name: 1 }],
    ['an unknown field', { name: 'x', colour: 'red' }],
    ['an array', []],
  ])('refuses a body with %s', async (_, body) => {
    expect(refusal(await put('/admin/members/GOV/BAD', body))).toEqual(INVALID)
    expect((await running.call('GET', '/admin/members/GOV/BAD')).status).toBe(404)
  })

  it('refuses a body that is missing, is not JSON, or is too large', async () => {
    const path = '/admin/members/GOV/BAD'
    expect(refusal(await running.call('PUT', path))).toEqual(INVALID)
    expect(refusal(await put(path, '{"name":'))).toEqual([400, 'request.malformed'])
    const headers = { 'content-type': 'application/json; charset=latin1' }
    const latin = await running.call('PUT', path, { body: '{"name":"x"}', headers })
    expect(refusal(latin)).toEqual([415, 'validation.content-type'])
    const large = await put(path, { name: 'x'.repeat(11 * 1024 * 1024) })
    expect(refusal(large)).toEqual([413, 'request.body-too-large'])
    const broken = await running.call('GET', '/admin/members/GOV/%FF')
    expect(refusal(broken)).toEqual([400, 'request.malformed'])
  })

  it('answers that an unknown one is not there', async () => {
    expect(refusal(await running.call('GET', '/admin/members/GOV/NONE'))).toEqual(NOT_FOUND)
    expect(refusal(await remove('/admin/members/GOV/NONE'))).toEqual(NOT_FOUND)
    expect(refusal(await put('/admin/subsystems/GOV/NONE/X', { name: 'x' }))).toEqual(NOT_FOUND)
    expect(refusal(await remove('/admin/subsystems/GOV/MOI/NONE'))).toEqual(NOT_FOUND)
  })

  it('are not removed while something depends on them', async () => {
    await put('/admin/members/GOV/DEP', { name: 'x' })
    await put('/admin/subsystems/GOV/DEP/S', { name: 'x' })
    await put('/admin/services/GOV/DEP/S/v1', { title: 'x' })
    await put('/admin/groups/DEPGROUP', { title: 'x', members: ['KH-DEV/GOV/DEP/S'] })
    expect(refusal(await remove('/admin/members/GOV/DEP'))).toEqual(CONFLICT)
    expect(refusal(await remove('/admin/subsystems/GOV/DEP/S'))).toEqual(CONFLICT)
    expect((await remove('/admin/services/GOV/DEP/S/v1')).status).toBe(204)
    expect(refusal(await remove('/admin/subsystems/GOV/DEP/S'))).toEqual(CONFLICT)
    expect((await remove('/admin/groups/DEPGROUP')).status).toBe(204)
    expect((await remove('/admin/subsystems/GOV/DEP/S')).status).toBe(204)
    expect((await remove('/admin/members/GOV/DEP')).status).toBe(204)
    const { members } = await running.snapshot()
    expect(members.map(({ id }) => id)).not.toContain('KH-DEV/GOV/DEP')
  })
})

describe('gateways', () => {
  const address = 'https://gateway.moi.example:5500'

  it('have an address and clients, each once and sorted', async () => {
    await put('/admin/members/GOV/GM', { name: 'x' })
    await put('/admin/subsystems/GOV/GM/B', { name: 'x' })
    const clients = ['KH-DEV/GOV/GM/B', 'KH-DEV/GOV/GM', 'KH-DEV/GOV/GM/B']
    const created = await put('/admin/gateways/GOV/GM/GW1', { address, clients })
    expect([created.status, created.body]).toEqual([
      201,
      {
        id: 'KH-DEV/GOV/GM/GW1',
        address,
        clients: ['KH-DEV/GOV/GM', 'KH-DEV/GOV/GM/B'],
        certificates: [],
      },
    ])
    expect((await running.call('GET', '/admin/gateways/GOV/GM/GW1')).body).toEqual(created.body)
    const { gateways } = await running.snapshot()
    expect(gateways).toContainEqual(created.body)
  })

  it('keep what they had when a replacement is refused', async () => {
    const before = await running.call('GET', '/admin/gateways/GOV/GM/GW1')
    const clients = ['KH-DEV/GOV/GM', 'KH-DEV/GOV/NONE']
    const refused = await put('/admin/gateways/GOV/GM/GW1', { address: 'https://b:1', clients })
    expect(refusal(refused)).toEqual(INVALID)
    expect(refused.body.detail).toContain('clients/1')
    expect((await running.call('GET', '/admin/gateways/GOV/GM/GW1')).body).toEqual(before.body)
  })

  it('stand in the way of removing member and client', async () => {
    expect(refusal(await remove('/admin/members/GOV/GM'))).toEqual(CONFLICT)
    expect(refusal(await remove('/admin/subsystems/GOV/GM/B'))).toEqual(CONFLICT)
    expect((await remove('/admin/gateways/GOV/GM/GW1')).status).toBe(204)
    expect(refusal(await remove('/admin/gateways/GOV/GM/GW1'))).toEqual(NOT_FOUND)
    expect((await remove('/admin/subsystems/GOV/GM/B')).status).toBe(204)
  })

  it.each([
    'http://a:5500',
    'https://a:5500/',
    'https://a:5500/path',
    'https://a:5500?x',
    'https://u:p@a:5500',
    'a:5500',
    'https://',
  ])('refuse the address %s', async (bad) => {
    const answer = await put('/admin/gateways/GOV/GM/GW2', { address: bad, clients: [] })
    expect(refusal(answer)).toEqual(INVALID)
  })

  it('refuse a client that is no identifier, and an unknown member', async () => {
    const body = { address, clients: ['KH-DEV/GOV'] }
    expect(refusal(await put('/admin/gateways/GOV/GM/GW2', body))).toEqual(INVALID)
    const orphan = await put('/admin/gateways/GOV/NONE/GW', { address, clients: [] })
    expect(refusal(orphan)).toEqual(NOT_FOUND)
  })
})

describe('groups', () => {
  it('hold members and subsystems that exist', async () => {
    await put('/admin/members/COM/BANK', { name: 'x' })
    const group = { title: 'ធនាគារ', members: ['KH-DEV/COM/BANK'] }
    const created = await put(adminPath('groups', 'ធនាគារ'), group)
    expect([created.status, created.body]).toEqual([201, { code: 'ធនាគារ', ...group }])
    expect((await running.snapshot()).groups).toContainEqual(created.body)
    const bad = await put('/admin/groups/B', { title: 'x', members: ['KH-DEV/COM/NONE'] })
    expect(refusal(bad)).toEqual(INVALID)
    expect((await running.call('GET', '/admin/groups')).body.groups).toEqual([created.body])
    expect(refusal(await remove('/admin/groups/B'))).toEqual(NOT_FOUND)
  })
})

describe('events and status', () => {
  it('tell each change once, in order, from a cursor on', async () => {
    const { body } = await running.call('GET', '/admin/events')
    const before = body.next as number
    await put('/admin/members/ORG/E', { name: 'x' })
    await remove('/admin/members/ORG/E')
    const { body: after } = await running.call('GET', `/admin/events?after=${before}`)
    const number = running.catalogue.snapshotNumber()
    const at = running.clock.now.toISOString()
    const subject = 'member KH-DEV/ORG/E'
    expect(after).toEqual({
      events: [
        {
          position: before + 1,
          at,
          actor: 'admin',
          action: 'put-member',
          subject,
          snapshotNumber: number - 1,
        },
        {
          position: before + 2,
          at,
          actor: 'admin',
          action: 'delete-member',
          subject,
          snapshotNumber: number,
        },
      ],
      next: before + 2,
    })
    const end = await running.call('GET', `/admin/events?after=${before + 2}`)
    expect(end.body).toEqual({ events: [], next: before + 2 })
  })

  it.each(['-1', 'x', '1.5', '9'.repeat(20)])('refuse the cursor %s', async (after) => {
    expect(refusal(await running.call('GET', `/admin/events?after=${after}`))).toEqual(INVALID)
  })

  it('count what is registered, and tell the public the number only', async () => {
    const number = running.catalogue.snapshotNumber()
    const { body } = await running.call('GET', '/admin/status')
    expect(body).toMatchObject({
      program: 'catalogue',
      snapshotNumber: number,
      counts: { groups: 1 },
    })
    const open = await running.call('GET', '/status', { token: undefined })
    expect(Object.keys(open.body)).toEqual(['program', 'instance', 'snapshotNumber', 'expiresAt'])
    expect(open.body.snapshotNumber).toBe(number)
  })
})
