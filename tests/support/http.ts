import { request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, createServer } from 'node:net'

export interface Answer {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface Outgoing {
  readonly port: number
  readonly method?: string
  readonly path: string
  /** Names and values in turn: a name may stand twice. */
  readonly rawHeaders?: readonly string[]
  readonly body?: Buffer | string
  /** TLS: what is shown, and what is believed. */
  readonly tls?: { readonly cert?: string; readonly key?: string; readonly ca?: string }
}

/** One HTTP request on a connection of its own; the path is sent as it is. */
export function send({
  port,
  method = 'GET',
  path,
  rawHeaders = [],
  body,
  tls,
}: Outgoing): Promise<Answer> {
  const length = body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))]
  const options: RequestOptions = {
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: ['host', `127.0.0.1:${port}`, ...rawHeaders, ...length],
    ...tls,
    ...(tls && { rejectUnauthorized: tls.ca !== undefined }),
  }
  return new Promise((resolve, reject) => {
    const request = (tls ? httpsRequest : httpRequest)(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          rawHeaders: response.rawHeaders,
          headers: response.headers,
          body: Buffer.concat(chunks),
        })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Writes bytes to a port and resolves with everything that comes back. */
export function sendBytes(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}

// Above the ports that the system hands out for connections (Linux: up to 60999): one of those may be
// taken by any connection before a server of ours has opened it. Each worker has a range of its own.
const FIRST_PORT = 61_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 4) * 1100
const PORTS = 1100
let next = Math.floor(Math.random() * PORTS)

/** A port that is free, and that this process gives to nobody else soon. */
export async function freePort(): Promise<number> {
  for (;;) {
    next = (next + 1) % PORTS
    if (await isFree(FIRST_PORT + next)) return FIRST_PORT + next
  }
}

/** Whether a server can open a port now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
