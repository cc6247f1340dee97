import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApi, type Route } from '../../runtime/admin-api.ts'
import { createLogger } from '../../runtime/logger.ts'
import { send, sendBytes } from '../support/http.ts'

const routes: Route[] = [
  { method: 'GET', path: '/open', access: 'public', handle: ({ body }) => ({ body: { body } }) },
  { method: 'PUT', path: '/shut', access: 'admin', handle: ({ body }) => ({ body: { body } }) },
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
})
