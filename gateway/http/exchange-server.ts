import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { STATUS_CODES } from 'node:http'
import { TLSSocket } from 'node:tls'
import { ExchangeError, type Origin } from '../../protocol/errors.ts'
import type { HeaderBlock } from '../../protocol/header-block.ts'
import { toProblem, type Problem } from '../../protocol/problem.ts'
import type { Clock } from '../../runtime/clock.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import { isInHandshake } from '../../runtime/handshake.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Answer, Incoming } from '../exchange-state.ts'
import { sendAnswer, sendRefusal, type Refusal } from './reply.ts'

/**
 * Options of a server for exchanges: Node's own limits, so that what is refused before a request exists
 * is refused by ours.
 *
 * @param requestMs longest time in which a whole request must arrive.
 */
export function serverLimits({ requestMs, maxHeaderBytes }: ServerLimits) {
  return {
    headersTimeout: Math.min(15_000, requestMs),
    requestTimeout: requestMs,
    keepAliveTimeout: 75_000, // longer than any gateway keeps an idle connection
    connectionsCheckingInterval: 1000,
    handshakeTimeout: 10_000,
    maxHeaderSize: maxHeaderBytes,
    requireHostHeader: false, // its lack is refused with a code, as everything
  }
}

interface ServerLimits {
  readonly requestMs: number
  readonly maxHeaderBytes: number
}

/** A port on which exchanges come in. */
export interface ExchangePort {
  readonly origin: Origin
  readonly clock: Clock
  readonly logger: Logger
  /** Longest pause of who reads an answer. */
  readonly idleMs: number
  readonly maxConnections: number
  /** Answers what is no exchange; false when it is one. */
  readonly answerLocally?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Runs the exchange; throws to refuse. */
  run(
    incoming: Incoming,
    request: IncomingMessage,
  ): Promise<{ readonly answer: Answer; readonly added?: HeaderBlock }>
  /** The form of a refusal on this port. */
  refusal(problem: Problem, accept: string | undefined): Refusal
  /** Records the refusal of what no step could read. */
  recordUnread(exchangeId: string, error: ExchangeError): Promise<void>
}

/** Makes `server` serve a port's exchanges: what is no HTTP is refused in words, as everything is. */
export function serveExchanges(server: Server, port: ExchangePort): Server {
  server.maxConnections = port.maxConnections
  server.maxHeadersCount = 0 // the size is what is limited
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (port.answerLocally?.(request, response)) return
    handle(request, response, port).catch((error: unknown) => {
      port.logger.error({ err: error }, 'an answer could not be sent')
      response.destroy()
    })
  })
  refuseMalformed(server, async (error) => {
    const exchangeId = newExchangeId(port.clock())
    await port.recordUnread(exchangeId, error)
    const problem = toProblem(error, port.origin, exchangeId)
    port.logger.info({ id: exchangeId, code: problem.code }, 'exchange refused')
    return port.refusal(problem, undefined)
  })
  return server
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  port: ExchangePort,
): Promise<void> {
  const { clock, logger, origin: here, idleMs } = port
  await using scope = new AsyncDisposableStack()
  const begun = performance.now()
  const incoming = incomingOf(request, scope, clock)
  const line = { id: incoming.exchangeId, method: request.method }
  const took = (): object => ({ ms: Math.round((performance.now() - begun) * 10) / 10 })
  try {
    const { answer, added = [] } = await port.run(incoming, request)
    await sendAnswer(response, answer, idleMs, added).catch((error: unknown) => {
      // The exchange is done and recorded; that its answer was not taken is no refusal.
      logger.info({ ...line, err: error }, 'the answer was not taken')
      response.destroy()
    })
    const service = answer.headers.find(([name]) => name === 'x-road-service')?.[1]
    logger.info({ ...line, service, status: answer.status, ...took() }, 'exchange answered')
  } catch (error) {
    const known = error instanceof ExchangeError ? error : undefined
    const problem = toProblem(error, here, known?.exchangeId ?? incoming.exchangeId)
    const { code, origin, status, detail } = problem
    const refused = { ...line, step: known?.step, code, origin, status, detail, ...took() }
    logger.info(refused, 'exchange refused')
    const refusal = port.refusal(problem, request.headers.accept)
    await sendRefusal(request, response, refusal, known?.retryAfterSeconds)
  }
}

/** Takes an exchange out of an HTTP request. Nothing of it is judged here. */
function incomingOf(request: IncomingMessage, scope: AsyncDisposableStack, clock: Clock): Incoming {
  const receivedAt = clock()
  return {
    exchangeId: newExchangeId(receivedAt),
    receivedAt,
    method: request.method,
    rawTarget: originForm(request.url ?? ''),
    rawHeaders: request.rawHeaders,
    stream: request,
    certificate: shownCertificate(request.socket),
    scope,
  }
}

/** An absolute-form target means the same (RFC 9112 §3.2.2): scheme and authority are ours. */
function originForm(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?#]*/i, '')
  return rest === target || rest.startsWith('/') ? rest : `/${rest}`
}

/** DER of the certificate that a caller proved the key of; undefined when it showed none. */
export function shownCertificate(socket: Socket): Buffer | undefined {
  return socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.raw : undefined
}

const PARSER_FAULTS: Record<string, ConstructorParameters<typeof ExchangeError>> = {
  HPE_HEADER_OVERFLOW: ['request.headers-too-large', 'URL and headers together are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request.timeout', 'the request did not arrive in time'],
}

/** Longest time in which who sent nonsense may take our answer. */
const LINGER_MS = 2000

/**
 * Answers what is not HTTP at all with a refusal like any other, instead of Node's bare line.
 *
 * @param refuse records the refusal and gives what to send.
 */
function refuseMalformed(server: Server, refuse: (error: ExchangeError) => Promise<Refusal>): void {
  const underWay = new WeakMap<Socket, number>()
  const count = (socket: Socket, by: number): void => {
    underWay.set(socket, (underWay.get(socket) ?? 0) + by)
  }
  const answer = (error: ExchangeError, socket: Socket): void => {
    socket.on('error', () => socket.destroy())
    refuse(error).then(
      (refusal) => writeRefusal(socket, refusal),
      () => socket.destroy(),
    )
  }
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    count(socket, 1)
    response.once('close', () => count(socket, -1))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // With a request under way its own pipeline sees the broken body. A peer that is gone, or has not
    // finished its handshake, hears nothing.
    const deaf = !socket.writable || error.code === 'ECONNRESET' || isInHandshake(socket)
    if (deaf || (underWay.get(socket) ?? 0) > 0) {
      socket.destroy()
      return
    }
    const [code, detail] = PARSER_FAULTS[error.code ?? ''] ?? [
      'request.malformed',
      'the request is not HTTP/1.1',
    ]
    answer(new ExchangeError(code, detail), socket)
  })
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    answer(new ExchangeError('request.method-unsupported', 'CONNECT is not supported'), socket)
  })
  // RFC 9110 §10.1.1 lets a server pass over an expectation that it does not know.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
}

function writeRefusal(socket: Socket, { status, headers, contentType, body }: Refusal): void {
  const own = { ...headers, 'content-type': contentType }
  const all = { ...own, 'content-length': String(Buffer.byteLength(body)), connection: 'close' }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  // Whoever does not close its side keeps no socket of ours.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
