import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { STATUS_CODES } from 'node:http'
import { TLSSocket } from 'node:tls'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import type { Incoming } from '../exchange-state.ts'

/** Node's own limits, so that what is refused before a request exists is refused by ours. */
export const SERVER_LIMITS = {
  headersTimeout: 15_000,
  keepAliveTimeout: 75_000, // longer than any gateway keeps an idle connection
  connectionsCheckingInterval: 1000,
} as const

/** Takes an exchange out of an HTTP request. Nothing of it is judged here. */
export function incomingOf(
  request: IncomingMessage,
  scope: AsyncDisposableStack,
  clock: Clock,
  exchangeId?: string,
): Incoming {
  const receivedAt = clock()
  return {
    exchangeId: exchangeId ?? newExchangeId(receivedAt),
    receivedAt,
    method: request.method,
    rawTarget: request.url ?? '',
    rawHeaders: request.rawHeaders,
    stream: request,
    certificate: shownCertificate(request.socket),
    scope,
  }
}

function shownCertificate(socket: Socket): Buffer | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined
}

const PARSER_FAULTS: Record<string, ConstructorParameters<typeof ExchangeError>> = {
  HPE_HEADER_OVERFLOW: ['request.headers-too-large', 'URL and headers together are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request.timeout', 'the request did not arrive in time'],
}

/**
 * Answers what is not HTTP at all with a refusal like any other, instead of Node's bare line.
 *
 * @param refuse records the refusal and gives what to send.
 */
export function refuseMalformed(
  server: Server,
  refuse: (
    error: ExchangeError,
    socket: Socket,
  ) => Promise<{ status: number; headers: Record<string, string>; body: string }>,
): void {
  const busy = new WeakSet<Socket>()
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    busy.add(socket)
    response.once('close', () => busy.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // With a request under way its own pipeline sees the broken body; a reset peer hears nothing.
    if (busy.has(socket) || !socket.writable || error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    const [code, detail] = PARSER_FAULTS[error.code ?? ''] ?? [
      'request.malformed',
      'the request is not HTTP/1.1',
    ]
    refuse(new ExchangeError(code, detail), socket).then(
      ({ status, headers, body }) => {
        const lines = Object.entries({
          ...headers,
          'content-length': String(Buffer.byteLength(body)),
          connection: 'close',
        }).map(([name, value]) => `${name}: ${value}\r\n`)
        socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
      },
      () => socket.destroy(),
    )
  })
}
