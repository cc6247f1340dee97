import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from './config.ts'

export interface Listening extends AsyncDisposable {
  /** The port in use: the one asked for, or the one the system chose for port 0. */
  readonly port: number
}

/** What still runs after this is cut: a stop is bounded, whatever a peer does. */
const DRAIN_MS = 10_000
/**
 * Kept connections stay open so long: a client may have written its next request, and one that is closed before it
 * is read is lost without an answer. One that comes within it is answered, with `Connection: close`; a later one is not.
 */
const LAST_REQUEST_MS = 50

/**
 * Starts `server`; disposing it stops new connections and waits for the answers in progress, ten seconds
 * at most. A connection that is kept and always busy ends with its next answer: it would never be idle.
 *
 * @throws ConfigError when the address cannot be bound.
 */
export async function listen(server: Server, port: number, host = '127.0.0.1'): Promise<Listening> {
  // closeAllConnections does not know those that are still in their handshake.
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const answering = new Set<ServerResponse>()
  let isClosing = false
  server.prependListener('request', (_request: IncomingMessage, response: ServerResponse) => {
    if (isClosing) response.shouldKeepAlive = false
    answering.add(response)
    response.once('close', () => {
      answering.delete(response)
      if (isClosing) server.closeIdleConnections()
    })
  })
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why =
      code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be opened (${code})`
    throw new ConfigError(`port ${port} of ${host} ${why}`, { cause })
  }
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      isClosing = true
      for (const response of answering) response.shouldKeepAlive &&= response.headersSent
      // Server.close ends idle connections at once, also those whose next request nobody has read yet.
      if (sockets.size > 0) await delay(LAST_REQUEST_MS)
      const closed = new Promise((done) => server.close(done))
      server.closeIdleConnections()
      const cut = setTimeout(() => sockets.forEach((socket) => socket.destroy()), DRAIN_MS)
      await closed
      clearTimeout(cut)
    },
  }
}

/** Resolves with the name of the first termination signal. Those after it do not cut the stop short. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, resolve)
  })
}

/** Runs a program's `main`; a fault of its configuration is told in words, without a stack. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error)
    process.exitCode = 1 // not process.exit(): let the log reach its destination
  }
}
