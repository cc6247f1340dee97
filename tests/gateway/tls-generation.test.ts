import { Agent, createServer, request, type Server } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { followTlsGeneration, type TlsGeneration } from '../../gateway/http/tls-generation.ts'
import { openAuthority } from '../../pki/authority/authority.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { temporaryFolder } from '../pki/support.ts'
import { obtain, type Credentials } from '../support/certificates.ts'

let first: Credentials
let second: Credentials
let server: Server
let followed: TlsGeneration
let agent: Agent
let port: number
let connections = 0
let hold: Promise<void> | undefined

beforeEach(async () => {
  await using resources = new AsyncDisposableStack()
  const authority = resources.use(
    await openAuthority({
      instance: 'KH-TEST',
      stateDir: join(temporaryFolder(), 'authority'),
      publicUrl: () => 'http://127.0.0.1:1',
      clock: () => new Date(),
    }),
  )
  const identity = { instance: 'KH-TEST', memberClass: 'GOV', member: 'REG', gateway: 'REG-1' }
  first = await obtain(authority, { kind: 'authentication', identity })
  second = await obtain(authority, { kind: 'authentication', identity })
  connections = 0
  hold = undefined
  const tls = { cert: first.cert, key: first.key }
  server = createServer(tls, (_request, response) => {
    void (async () => {
      await hold
      response.writeHead(200, ['content-length', '2']).end('ok')
    })()
  })
  followed = followTlsGeneration(server, tls)
  server.on('secureConnection', () => (connections += 1))
  port = resources.use(await listen(server, 0)).port
  agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
  resources.defer(() => agent.destroy())
  const open = resources.move()
  return () => open.disposeAsync()
})

const get = (): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const sent = request({ port, agent, host: '127.0.0.1' }, (response) => {
      response.resume().once('end', () => resolve(response))
    })
    sent.once('error', reject).end()
  })
const replace = ({ cert, key }: Credentials): void => server.setSecureContext({ cert, key })

it('connections stay open as long as their certificate is the one in force', async () => {
  for (let i = 0; i < 3; i += 1) expect((await get()).headers.connection).not.toBe('close')
  expect(connections).toBe(1)
  expect(followed.generation).toBe(1)
})

it('after a replacement each old connection ends with its next answer, and none is cut off', async () => {
  await get()
  const held = Promise.withResolvers<void>()
  hold = held.promise
  const underWay = get()
  replace(second)
  held.resolve()
  expect((await underWay).statusCode).toBe(200)
  expect(followed.generation).toBe(2)
  const last = await get()
  expect(last.statusCode).toBe(200)
  for (let i = 0; i < 3; i += 1) expect((await get()).headers.connection).not.toBe('close')
  expect(connections).toBe(2)
})

it('the same certificate again ends nothing', async () => {
  await get()
  replace(first)
  expect((await get()).headers.connection).not.toBe('close')
  expect(connections).toBe(1)
})
