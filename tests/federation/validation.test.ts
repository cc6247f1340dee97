import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { at, type JsonObject } from '../../openapi/document.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import type { Answer, Outgoing } from '../support/http.ts'
import { PUBLISHED, publishedDescription } from '../support/published-descriptions.ts'
import { sampleOf } from '../support/schema-samples.ts'

const PERSON = {
  type: 'object',
  required: ['id', 'name'],
  additionalProperties: false,
  properties: { id: { type: 'string', pattern: '^[0-9]{9}$' }, name: { type: 'string' } },
}
const json = { 'application/json': { schema: PERSON } }
const page = { name: 'page', in: 'query', schema: { type: 'integer' } }
const id = { name: 'id', in: 'path', required: true, schema: { type: 'string', maxLength: 9 } }
const DESCRIPTION = {
  openapi: '3.1.0',
  info: { title: 'People', version: '1' },
  paths: {
    '/persons': {
      post: {
        requestBody: { required: true, content: json },
        responses: { 204: { description: 'kept' } },
      },
    },
    '/persons/{id}': {
      get: { parameters: [id, page], responses: { 200: { description: 'one', content: json } } },
    },
  },
}
const GOOD = { id: '010203001', name: 'សុខ' }

let f: Federation
/** What the service answers next, and what it was asked. */
let next: { status: number; headers: Record<string, string>; body: string | Buffer }
let asked: string[]
const open = new AsyncDisposableStack()
beforeAll(async () => {
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume().on('end', () => {
      response.writeHead(next.status, next.headers).end(next.body)
    })
  })
  const { port } = open.use(await listen(server, 0))
  open.defer(() => server.closeAllConnections())
  f = open.use(await startFederation())
  const add = async (code: string, validation: string, description: unknown): Promise<void> => {
    await f.addService(code, { url: `http://127.0.0.1:${port}` })
    const path = apiPath('/admin/services', 'GOV', 'REG', 'POP', code)
    await f.catalogueAdmin.call('PUT', path, { title: code, validation, description })
  }
  await add('enforced', 'enforce', DESCRIPTION)
  await add('reported', 'report', DESCRIPTION)
  await add('off', 'off', DESCRIPTION)
  for (const [i, one] of PUBLISHED.entries()) {
    await add(`published${i}`, 'enforce', publishedDescription(one))
  }
  await f.settled()
}, 120_000)
afterAll(() => open.disposeAsync())
beforeEach(() => {
  asked = []
  answers(GOOD)
})

function answers(value: unknown, status = 200): void {
  const headers = { 'content-type': 'application/json' }
  next = { status, headers, body: JSON.stringify(value) }
}
const get = (service: string, path: string): Promise<Answer> =>
  f.call(`/r1/${REGISTRY}/${service}${path}`)
const post = (service: string, body: string, type: string | null = 'application/json') =>
  f.call(`/r1/${REGISTRY}/${service}/persons`, {
    method: 'POST',
    rawHeaders: ['X-Road-Client', BANK, ...(type === null ? [] : ['Content-Type', type])],
    body: Buffer.from(body),
  } satisfies Partial<Outgoing>)

interface Refused {
  readonly message: string
}
const refusalOf = ({ status, headers, body }: Answer): [number, string, string] => {
  const { message } = JSON.parse(body.toString('utf8')) as Refused
  return [status, String(headers['x-road-error']), message]
}

describe('a service in enforce mode', () => {
  it('gets and gives what its description says', async () => {
    const answer = await get('enforced', '/persons/010203001?page=1')
    expect([answer.status, answer.headers['spean-findings']]).toEqual([200, undefined])
    expect(JSON.parse(answer.body.toString('utf8'))).toEqual(GOOD)
    next = { status: 204, headers: {}, body: '' }
    expect((await post('enforced', JSON.stringify(GOOD))).status).toBe(204)
  })

  it.each([
    [
      'another member',
      JSON.stringify({ ...GOOD, secret: 'x' }),
      'body /secret additionalProperties',
    ],
    ['a wrong type', JSON.stringify({ ...GOOD, name: 7 }), 'body /name type'],
    ['a name twice', '{"id":"010203001","name":"a","name":"b"}', 'body /name duplicate'],
    ['__proto__', '{"__proto__":{"id":"010203001","name":"a"}}', 'body /id required'],
    ['a big number', '{"id":90071992547409931}', 'body /id number'],
    ['depth', '['.repeat(100) + ']'.repeat(100), 'depth'],
    ['no JSON', '{', 'json'],
    ['no body', '', 'body required'],
  ])('never gets a body with %s', async (_, body, words) => {
    const answer = await post('enforced', body)
    const [status, fault, detail] = refusalOf(answer)
    expect([status, fault]).toEqual([400, 'client.invalid_request.description'])
    expect(detail).toContain(words)
    expect(asked).toEqual([])
    const exchangeId = String(answer.headers['x-road-request-id'])
    const [refusal] = await f.provider.entries(exchangeId)
    expect(refusal).toMatchObject({ kind: 'refusal', code: 'validation.request-invalid' })
    expect(refusal?.detail).toContain(words)
  })

  it.each([
    ['application/xml', 415],
    [null, 415],
    ['application/json; charset=utf-16', 415],
    ['application/json;charset=UTF-8', 204],
  ])('with the content type %s answers %i', async (type, status) => {
    next = { status: 204, headers: {}, body: '' }
    expect((await post('enforced', JSON.stringify(GOOD), type)).status).toBe(status)
  })

  it.each([
    ['/persons/010203001?other=1', 400, 'query other unknown'],
    ['/persons/0102030012', 400, 'path id maxLength'],
    ['/nobody', 404, 'path operation'],
    ['/persons/a%2Fb', 403, 'encoded slash'],
  ])('never gets the path %s', async (path, status, words) => {
    const [told, , detail] = refusalOf(await get('enforced', path))
    expect(told).toBe(status)
    expect(detail).toContain(words)
    expect(asked).toEqual([])
  })

  it('does not hand out an answer that is not described', async () => {
    answers({ ...GOOD, salary: 7 })
    const answer = await get('enforced', '/persons/010203001')
    const [status, fault, detail] = refusalOf(answer)
    expect([status, fault]).toEqual([502, 'server.serverproxy.service_failed.invalid_answer'])
    expect(detail).toContain('body /salary additionalProperties')
    expect(answer.body.toString('utf8')).not.toContain('010203001')
    answers(GOOD, 500)
    expect(refusalOf(await get('enforced', '/persons/1'))[2]).toContain('header status')
    next = { ...next, status: 200, body: 'x'.repeat(2_097_153) }
    expect(refusalOf(await get('enforced', '/persons/1'))[2]).toContain('body size')
  })

  it('looks into packed answers, and hands them on packed', async () => {
    const packed = (value: unknown): void => {
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
      next = { status: 200, headers, body: gzipSync(JSON.stringify(value)) }
    }
    packed(GOOD)
    const answer = await get('enforced', '/persons/010203001')
    expect([answer.status, answer.body]).toEqual([200, next.body])
    packed({ ...GOOD, salary: 7 })
    expect((await get('enforced', '/persons/010203001')).status).toBe(502)
    packed({ ...GOOD, name: 'a'.repeat(3_000_000) })
    expect(refusalOf(await get('enforced', '/persons/1'))[2]).toContain('body size')
  })
})

describe('a service in report mode', () => {
  it('gets everything; both logs and the answer say what was found, and no value', async () => {
    answers({ ...GOOD, salary: 1234567 })
    const answer = await get('reported', '/persons/010203001234?page=x')
    expect(answer.status).toBe(200)
    const said =
      'request: 2 findings: path id maxLength; query page type, answer: 1 finding: body /salary additionalProperties'
    expect(answer.headers['spean-findings']).toBe(said)
    const exchangeId = String(answer.headers['x-road-request-id'])
    const client = await f.client.entries(exchangeId)
    const provider = await f.provider.entries(exchangeId)
    expect(client.map(({ detail }) => detail)).toEqual([undefined, said])
    expect(provider.map(({ detail }) => detail)).toEqual([
      '2 findings: path id maxLength; query page type',
      said,
    ])
    expect(said).not.toMatch(/1234567|0102/)
    const ambiguous = await get('reported', '/persons/a%2Fb')
    expect(ambiguous.headers['spean-findings']).toBe('request: 1 finding: path ambiguous')
  })

  it('cannot claim findings of its own; nor can a client', async () => {
    next.headers['spean-findings'] = 'forged'
    const answer = await get('reported', '/persons/010203001')
    expect(answer.headers['spean-findings']).toBeUndefined()
  })
})

it('a service that is off is not looked at', async () => {
  answers({ anything: 1 })
  const answer = await get('off', '/nobody?x=1')
  expect([answer.status, answer.headers['spean-findings']]).toEqual([200, undefined])
})

describe.each(PUBLISHED.map((one, i) => [one, i] as const))('$name in enforce mode', (one, i) => {
  it('serves conforming answers, and no other', async () => {
    const document = publishedDescription(one) as JsonObject
    let served = 0
    for (const [path, item] of Object.entries(document.paths as Record<string, JsonObject>)) {
      const { get: operation } = item as { get?: { parameters?: { required?: boolean }[] } }
      const isPlain =
        !path.includes('{') && operation && !operation.parameters?.some((p) => p.required)
      if (!isPlain || served >= 3) continue
      const schema = at(
        '/paths',
        path,
        'get',
        'responses',
        '200',
        'content',
        'application/json',
        'schema',
      )
      const { value, mutations } = sampleOf(document, schema, 'answer')
      answers(value)
      const answer = await get(`published${i}`, path)
      if (answer.status !== 200 || mutations.length === 0) continue
      served += 1
      answers(mutations.at(-1)!.value)
      const [status, , detail] = refusalOf(await get(`published${i}`, path))
      expect(status).toBe(502)
      expect(detail).toContain(mutations.at(-1)!.place)
    }
    expect(served).toBeGreaterThan(0)
  })
})
