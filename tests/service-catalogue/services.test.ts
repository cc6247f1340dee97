import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  await running.call('PUT', '/admin/subsystems/GOV/MOI/REG', { body: { name: 'Register' } })
})
afterAll(() => running[Symbol.asyncDispose]())

const PATH = '/admin/services/GOV/MOI/REG'
const put = (service: string, body: unknown): Promise<Answer> =>
  running.call('PUT', `${PATH}/${service}`, { body })

function openApi(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    openapi: '3.1.0',
    info: { title: 'ប្រជាជន', version: '1' },
    paths: {
      '/persons/{id}': { parameters: [], get: {}, put: {} },
      '/persons': { summary: 's', post: {}, 'x-note': 1 },
    },
    ...changes,
  }
}

describe('services', () => {
  it('without a description take any call', async () => {
    const { status, body } = await put('plain', { title: 'Plain' })
    expect([status, body]).toEqual([
      201,
      {
        id: 'KH-DEV/GOV/MOI/REG/plain',
        title: 'Plain',
        type: 'REST',
        endpoints: [{ method: '*', path: '/**' }],
        version: '1.0.0',
        state: 'published',
      },
    ])
    expect((await running.call('GET', `${PATH}/plain`)).body).toEqual(body)
  })

  it('are classified by one of four words, or not at all', async () => {
    for (const classification of ['public', 'internal', 'personal', 'sensitive']) {
      const { body } = await put('classified', { title: 'Classified', classification })
      expect(body.classification).toBe(classification)
    }
    for (const classification of ['secret', '', 'Personal', 7]) {
      const { status, body } = await put('classified', { title: 'Classified', classification })
      expect([status, body.code]).toEqual([422, 'admin.invalid'])
    }
    expect((await running.call('GET', `${PATH}/classified`)).body.classification).toBe('sensitive')
    const { body } = await put('classified', { title: 'Classified', classification: null })
    expect(body).not.toHaveProperty('classification')
  })

  it('with a description have its endpoints, and it is served under its digest', async () => {
    const description = openApi()
    const { body } = await put('persons', { title: 'ប្រជាជន', description })
    expect(body).toMatchObject({
      type: 'OPENAPI',
      endpoints: [
        { method: 'POST', path: '/persons' },
        { method: 'GET', path: '/persons/*' },
        { method: 'PUT', path: '/persons/*' },
      ],
    })
    const digest = body.descriptionDigest as string
    const served = await running.call('GET', `/descriptions/${digest}`, { token: undefined })
    expect(JSON.parse(served.text)).toEqual(description)
    expect(createHash('sha256').update(served.text).digest('base64url')).toBe(digest)
    expect(served.headers.get('cache-control')).toContain('immutable')
    expect(served.headers.get('content-type')).toMatch(/^application\/json/)
    const { members } = await running.snapshot()
    const published = members[0]?.subsystems[0]?.services.find(({ code }) => code === 'persons')
    expect(published).toMatchObject({ title: 'ប្រជាជន', type: 'OPENAPI', descriptionDigest: digest })
  })

  it('lose the description when they are put without one, but who has its digest can read it', async () => {
    const paths = { '/persons': { get: { responses: { 200: { description: 'all' } } } } }
    const description = openApi({ openapi: '3.0.3', paths })
    const before = await put('moving', { title: 'x', description })
    const now = { effectiveAt: running.clock.now.toISOString(), reason: 'nobody calls it' }
    const after = await put('moving', { title: 'x', version: '2.0.0', ...now })
    expect([after.status, after.body.type]).toEqual([200, 'REST'])
    expect(after.body).not.toHaveProperty('descriptionDigest')
    const served = await running.call(
      'GET',
      `/descriptions/${before.body.descriptionDigest as string}`,
    )
    expect(served.status).toBe(200)
    const unknown = await running.call('GET', '/descriptions/none')
    expect([unknown.status, unknown.body.code]).toEqual([404, 'admin.not-found'])
  })

  it.each([
    'listMethods',
    'allowedMethods',
    'getOpenAPI',
    'getWsdl',
    'listClients',
    'getSecurityServerMetrics',
    'getSecurityServerOperationalData',
    'getSecurityServerHealthData',
  ])('cannot be called %s', async (code) => {
    expect((await put(code, { title: 'x' })).body.code).toBe('admin.invalid')
  })

  it.each([
    ['/a/{x}.json', '/a/*'],
    ['/a/{x}-{y}/b', '/a/*/b'],
    ['/', '/'],
    ['/ប្រជាជន/{id}', '/ប្រជាជន/*'],
    ['/a%20b', '/a b'],
  ])('turn the path %s into the pattern %s', async (path, pattern) => {
    const { body } = await put(`p${Buffer.from(pattern).toString('hex')}`, {
      title: 'x',
      description: openApi({ paths: { [path]: { get: {} } } }),
    })
    expect(body.endpoints).toEqual([{ method: 'GET', path: pattern }])
  })

  it.each([
    ['no version', { openapi: undefined }, 'description/openapi'],
    ['a version that is a number', { openapi: 3.1 }, 'description/openapi'],
    ['Swagger 2', { openapi: '2.0' }, 'description/openapi'],
    ['a version to come', { openapi: '3.2.0' }, 'description/openapi'],
    ['no title', { info: {} }, 'description/info/title'],
    ['no paths', { paths: undefined }, 'description/paths'],
    ['paths as a list', { paths: [] }, 'description/paths'],
    ['a path without its slash', { paths: { a: {} } }, 'description/paths/a'],
    ['a query in a path', { paths: { '/a?b=c': {} } }, 'description/paths/~1a?b=c'],
    ['a wildcard in a path', { paths: { '/a/**': {} } }, 'description/paths/~1a~1**'],
    ['a hidden wildcard', { paths: { '/a/%2A': {} } }, 'description/paths/~1a~1%2A'],
    ['a hidden slash', { paths: { '/a%2Fb': {} } }, 'description/paths/~1a%2Fb'],
    ['a lone brace', { paths: { '/a/{b': {} } }, 'description/paths/~1a~1{b'],
    ['a path item that is a text', { paths: { '/a': 'get' } }, 'description/paths/~1a'],
    ['a reference', { paths: { '/a': { $ref: '#/x' } } }, 'description/paths/~1a/$ref'],
    ['an unknown method', { paths: { '/a': { fetch: {} } } }, 'description/paths/~1a/fetch'],
    ['a method in capitals', { paths: { '/a': { GET: {} } } }, 'description/paths/~1a/GET'],
  ])('refuse a description with %s, naming the place', async (_, changes, place) => {
    const { status, body } = await put('bad', { title: 'x', description: openApi(changes) })
    expect([status, body.code]).toEqual([422, 'admin.invalid'])
    expect(body.detail?.split(': ')[0]).toBe(place)
  })

  it('refuse a description that is no object, or is nested without end', async () => {
    for (const description of ['text', [], 1]) {
      expect((await put('bad', { title: 'x', description })).body.code).toBe('admin.invalid')
    }
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const text = JSON.stringify({ title: 'x', description: openApi({ deep: 1 }) })
    const answer = await put('bad', text.replace('"deep":1', `"deep":${deep}`))
    expect(answer.body.code).toBe('admin.invalid')
  })

  it('refuse an unknown subsystem', async () => {
    const answer = await running.call('PUT', '/admin/services/GOV/MOI/NONE/x', {
      body: { title: 'x' },
    })
    expect(answer.body.code).toBe('admin.not-found')
  })
})
