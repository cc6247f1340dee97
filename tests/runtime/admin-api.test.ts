import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApi, type Route } from '../../runtime/admin-api.ts'
import { createLogger } from '../../runtime/logger.ts'
import { json } from '../../runtime/route-description.ts'
import { send, sendBytes } from '../support/http.ts'

const about = { summary: 'What was sent', answers: { 200: json({ type: 'object' }) } }
const echo: Route['handle'] = ({ body }) => ({ body: { body } })
const routes: Route[] = [
  { method: 'GET', path: '/open', access: 'public', about, handle: echo },
  { method: 'PUT', path: '/shut', access: 'admin', about, handle: echo },
  { method: 'GET', path: '/shut', access: 'admin', about, handle: echo },
]
let server: Server
let port: number
beforeAll(async () => {
  const logger = createLogger('test')
  server = createServer(createApi({ routes, token: 'secret', origin: 'catalogue', logger }))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())

const JSON_GZIP = ['content-type', 'application/json', 'content-encoding', 'gzip']
const code = (body: Buffer): unknown =>
  (JSON.parse(body.toString('utf8')) as { code?: string }).code

describe('an API', () => {
  it('reads no body where none belongs', async () => {
    const body = gzipSync(JSON.stringify('x'.repeat(9_000_000)))
    const answer = await send({ port, path: '/open', rawHeaders: JSON_GZIP, body })
    expect([answer.status, answer.body.toString('utf8')]).toEqual([200, '{}'])
  })

  it('unpacks nothing', async () => {
    const rawHeaders = [...JSON_GZIP, 'authorization', 'Bearer secret']
    const answer = await send({
      port,
      method: 'PUT',
      path: '/shut',
      rawHeaders,
      body: gzipSync('{}'),
    })
    expect([answer.status, code(answer.body)]).toEqual([400, 'request.malformed'])
  })

  it.each(['http://a:99999999/open', 'http://[/open'])(
    'refuses the target %s in words',
    async (target) => {
      const bytes = `GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`
      const answer = await sendBytes(port, bytes)
      expect(answer).toMatch(/^HTTP\/1.1 404 [\s\S]*"code":"request.route-unknown"/)
    },
  )

  it.each(['?name=%', '?name=%ff', '?%e1%9e', '?name=%ed%a0%80'])(
    'refuses the query %s, which is no UTF-8',
    async (query) => {
      const answer = await send({ port, path: `/open${query}` })
      expect([answer.status, code(answer.body)]).toEqual([400, 'request.malformed'])
    },
  )

  it.each(['OPTIONS', 'PATCH', 'DELETE', 'TRACE'])(
    'says which methods there are, to %s',
    async (method) => {
      const answer = await send({ port, method, path: '/shut' })
      expect([answer.status, code(answer.body)]).toEqual([405, 'request.method-unsupported'])
      expect(answer.headers.allow).toBe('PUT, GET, HEAD')
      const nowhere = await send({ port, method, path: '/nowhere' })
      expect([nowhere.status, nowhere.headers.allow]).toEqual([404, undefined])
    },
  )

  it('answers HEAD as GET, without the body', async () => {
    const answer = await send({ port, method: 'HEAD', path: '/open' })
    expect([answer.status, answer.body.length]).toEqual([200, 0])
  })

  const put = (body: string | Buffer, type?: string) =>
    send({
      ...{ port, method: 'PUT', path: '/shut', body },
      rawHeaders: [
        ...['authorization', 'Bearer secret'],
        ...(type === undefined ? [] : ['content-type', type]),
      ],
    })
  it.each([
    ['{"a":{"b":1,"c":[{"b":2}]},"b":3}', 200, undefined],
    [String.raw`{"\\":1,"a\"":"{\"a\":1,\"a\":2}"}`, 200, undefined],
    ['', 200, undefined],
    ['{"a":1,"b":[{"a":1,"\\u0061":2}]}', 400, 'request.malformed'],
    ['{"__proto__":1,"__proto__":2}', 400, 'request.malformed'],
    ['{', 400, 'request.malformed'],
    ['\ufeff{}', 400, 'request.malformed'],
    [Buffer.from([0x22, 0xff, 0x22]), 400, 'request.malformed'],
    ['['.repeat(1001) + ']'.repeat(1001), 422, 'admin.invalid'],
    [`"${'x'.repeat(10 * 1024 * 1024)}"`, 413, 'request.body-too-large'],
  ])('reads a body in one way, or not at all (%#)', async (body, status, refusal) => {
    const answer = await put(body, 'application/json; charset=utf-8')
    expect([answer.status, code(answer.body)]).toEqual([status, refusal])
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', undefined])(
    'takes no body of type %s for JSON',
    async (type) => {
      const answer = await put('{}', type)
      expect([answer.status, code(answer.body)]).toEqual([415, 'validation.content-type'])
    },
  )
})
