import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { listen } from '../../runtime/lifecycle.ts'

export interface Call {
  readonly method: string
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly digest: string
}
/** A register behind the provider's gateway, which behaves well or badly as its path says. */
export interface Register extends AsyncDisposable {
  readonly port: number
  /** Every call that reached it, oldest first. */
  readonly calls: Call[]
}

export const GZIPPED = gzipSync('ព្រះរាជាណាចក្រកម្ពុជា')

export async function startRegister(): Promise<Register> {
  const calls: Call[] = []
  const server = createServer((request, response) => void answer(request, response, calls))
  const listening = await listen(server, 0)
  return {
    port: listening.port,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await listening[Symbol.asyncDispose]()
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  calls: Call[],
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const { method = '', url = '', rawHeaders } = request
  const call = { method, url, rawHeaders, digest: createHash('sha256').update(body).digest('hex') }
  calls.push(call)
  const behaviour = /^\/base\/([a-z-]+)/.exec(url)?.[1] ?? ''
  const behave = BEHAVIOURS[behaviour]
  if (behave) return behave(response, request.socket)
  if (behaviour === 'mirror') return void response.end(body)
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(call))
}

const BEHAVIOURS: Record<string, (response: ServerResponse, socket: Socket) => void> = {
  redirect: (response) => {
    response.writeHead(302, { location: '/base/elsewhere' }).end()
  },
  cookie: (response) => {
    response.writeHead(200, { 'set-cookie': ['a=1; Path=/', 'b=2'] }).end('cookie')
  },
  gzip: (response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(GZIPPED)
  },
  forged: (response) => {
    const forged = {
      'x-road-id': 'forged',
      'x-road-service': 'A/B/C/D/E',
      'x-road-error': 'forged',
    }
    response.writeHead(200, { ...forged, 'spean-manifest': 'forged' }).end('forged')
  },
  headers: (response) => {
    const large = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, 'x'.repeat(6000)]))
    response.writeHead(200, large).end()
  },
  refuse: (response) => {
    response.writeHead(409, { 'content-type': 'text/plain' }).end('no')
  },
  silent: () => undefined,
  slowly: (response) => {
    setTimeout(() => response.end('slowly'), 400)
  },
  drip: (response) => {
    response.writeHead(200, { 'content-length': '1000' })
    const timer = setInterval(() => response.write('.'), 300)
    response.on('close', () => clearInterval(timer))
  },
  'bad-status': (_response, socket) => {
    socket.end('HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n')
  },
  'two-lengths': (_response, socket) => {
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab')
  },
  pause: (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('half')
  },
  drop: (response, socket) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => socket.destroy())
  },
  hangup: (_response, socket) => {
    socket.destroy()
  },
  empty: (response) => {
    response.writeHead(204).end()
  },
  megabyte: (response) => {
    response.end(Buffer.alloc(1_048_576, 7))
  },
  large: (response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(65_536, 7)
    for (let i = 0; i < 80; i += 1) response.write(chunk)
    response.end()
  },
}

/** A server that answers every connection with bytes that are not HTTP. */
export async function startGarbageServer(): Promise<{ port: number } & AsyncDisposable> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end('ANSWER 42\r\n\r\n\0\0'))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())),
  }
}
