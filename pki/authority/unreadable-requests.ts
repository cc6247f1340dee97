import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ErrorCode } from '../../protocol/errors.ts'
import { isInHandshake } from '../../runtime/handshake.ts'
import type { Journal } from './journal.ts'

/** By the codes of Node and of its parser; all others are malformed. */
const ANSWERS: Readonly<Record<string, [status: string, code: ErrorCode, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'request.malformed',
    'its address and headers are too long',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'request.malformed', 'it did not end in time'],
}

/**
 * Answers what never becomes a request, because Node's parser refuses it or it does not end, and notes it in the
 * journal: an OCSP request in a path of megabytes is one of these.
 */
export function noteUnreadable(
  server: Server,
  subject: string,
  journal: Pick<Journal, 'refused'>,
): void {
  const underWay = new WeakSet<Socket>()
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    underWay.add(socket)
    response.once('close', () => underWay.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // A request that is under way sees its broken body itself; who is gone, or has not finished the handshake,
    // has asked nothing.
    const isDeaf = error.code === 'ECONNRESET' || !socket.writable || isInHandshake(socket)
    if (isDeaf || underWay.has(socket)) {
      socket.destroy()
      return
    }
    const [status, code, detail] = ANSWERS[error.code ?? ''] ?? [
      '400 Bad Request',
      'request.malformed',
      'it is not HTTP/1.1',
    ]
    journal.refused({ subject, code, detail, remoteAddress: socket.remoteAddress ?? '' })
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
}
