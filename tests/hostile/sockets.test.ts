import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { sendBytes } from '../support/http.ts'

let f: Federation
beforeAll(async () => {
  f = await startFederation()
})
afterAll(() => f[Symbol.asyncDispose]())

const PATH = `/r1/${REGISTRY}/echo`
const call = (extra: string, head = `GET ${PATH} HTTP/1.1`): string =>
  `${head}\r\nx-road-client: ${BANK}\r\nconnection: close\r\n${extra}\r\n`

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

describe('a caller that', () => {
  it('never begins its handshake loses its connection', async () => {
    const { peers, https } = f.client.running.ports
    const silent = await Promise.all([open(peers), open(https)])
    await Promise.all(silent.map((socket) => once(socket.resume(), 'end')))
  })

  it('sends nonsense and never closes its side loses its connection', async () => {
    const socket = await open(f.client.httpPort)
    socket.write('nonsense\r\n\r\n')
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'end')
    expect(Buffer.concat(chunks).toString('latin1')).toContain('request.malformed')
    // Our end is gone: what is written now is answered with a reset.
    await vi.waitFor(() => {
      socket.write('x')
      expect(socket.destroyed).toBe(true)
    }, 5000)
  })

  it('stops reading its answer loses its connection, and the answer its place', async () => {
    const limits = { maxBodyBytes: 100_000_000 }
    await using large = await startFederation({ client: limits, provider: limits })
    // More than the buffers of a connection hold.
    const body = Buffer.alloc(40_000_000)
    const socket = connect({ port: large.client.httpPort, host: '127.0.0.1' })
    const closed = new Promise((done) => socket.once('close', done))
    socket.on('error', () => undefined)
    const head = `POST ${PATH}/mirror HTTP/1.1\r\nhost: x\r\nx-road-client: ${BANK}\r\n`
    socket.write(`${head}content-length: ${body.length}\r\n\r\n`)
    socket.write(body)
    // Nobody listens for data: a first piece is read, and no more.
    await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(0), 30_000)
    await new Promise((done) => setTimeout(done, 5000))
    let received = 0
    socket.on('data', (chunk: Buffer) => (received += chunk.length))
    socket.resume()
    await closed
    expect(received).toBeLessThan(body.length)
  })

  it.each([
    ['names no host', call(''), 400, 'request.malformed'],
    ['names two hosts', call('host: a\r\nhost: b\r\n'), 400, 'request.malformed'],
    [
      'asks for a tunnel',
      call('host: x\r\n', 'CONNECT a:1 HTTP/1.1'),
      405,
      'request.method-unsupported',
    ],
  ])('%s is refused like any other', async (_name, bytes, status, code) => {
    const answer = await sendBytes(f.client.httpPort, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*x-road-error: client`, 'i'))
    expect(answer).toContain(`(${code})`)
  })

  it.each([
    ['expects what nobody knows', call('host: x\r\nexpect: miracles\r\n')],
    ['writes its target in absolute form', call('host: x\r\n', `GET http://x:1${PATH} HTTP/1.1`)],
    ['offers to upgrade', call('host: x\r\nupgrade: websocket\r\n')],
  ])('%s is served', async (_name, bytes) => {
    expect(await sendBytes(f.client.httpPort, bytes)).toMatch(/^HTTP\/1.1 200 /)
  })

  it('sends nonsense behind a good request gets the answer of the good one first', async () => {
    const good = `GET ${PATH}/slowly HTTP/1.1\r\nhost: x\r\nx-road-client: ${BANK}\r\n\r\n`
    const answer = await sendBytes(f.client.httpPort, `${good}nonsense\r\n\r\n`)
    expect(answer).not.toMatch(/^HTTP\/1.1 400/)
  })

  it('disguises a protocol header with underscores has it dropped', async () => {
    const disguised = ['X_Road_UserId', 'alice', 'x-road_client', 'X', 'Spean_Manifest', 'x']
    const rawHeaders = ['X-Road-Client', BANK, 'X_Custom', 'kept', ...disguised]
    const { status } = await f.call(PATH, { rawHeaders })
    expect(status).toBe(200)
    const names = f.register.calls.at(-1)!.rawHeaders.filter((_, i) => i % 2 === 0)
    expect(names.filter((name) => name.includes('_'))).toEqual(['x_custom'])
  })
})
