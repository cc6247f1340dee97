import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CatalogueContext } from '../../service-catalogue/context.ts'
import { createCatalogueRoutes } from '../../service-catalogue/routes.ts'
import { startTestCatalogue, type Running } from './support.ts'

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
})
afterAll(() => running[Symbol.asyncDispose]())

// Only the table is looked at: nothing of the context is used before a route is called.
const routes = createCatalogueRoutes({} as CatalogueContext)
describe('administration', () => {
  it('keeps everything below /admin, and nothing else, behind the token', () => {
    for (const { path, access } of routes) {
      expect([path, access !== 'public']).toEqual([path, path.startsWith('/admin/')])
    }
  })

  it('refuses a stranger before the body has arrived', async () => {
    const { catalogue, authority } = running
    const socket = connect({ port: catalogue.port, ca: authority.root.certificate.pem })
    socket.write(
      'PUT /admin/members/GOV/MOI HTTP/1.1\r\nHost: localhost\r\n' +
        'Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{',
    )
    const [first] = (await socket.take(1).toArray()) as Buffer[]
    socket.destroy()
    expect(first?.toString()).toMatch(/^HTTP\/1.1 401 /)
  })

  it('refuses a path that it does not serve', async () => {
    const answer = await running.call('GET', '/anchor')
    expect([answer.status, answer.body.code]).toEqual([404, 'request.route-unknown'])
  })
})
