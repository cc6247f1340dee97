import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { TLSSocket } from 'node:tls'
import { errorEntry, ExchangeError } from '../../protocol/errors.ts'
import { toProblem, type Problem } from '../../protocol/problem.ts'
import type { Logger } from '../../runtime/logger.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import { refuseUnread, requestExchange } from '../exchange.ts'
import type { ClientGateway } from '../ports.ts'
import { clientList } from '../services/metadata.ts'
import { incomingOf, refuseMalformed, serverLimits } from './exchange-server.ts'
import { faultBody, sendAnswer, sendRefusal } from './reply.ts'

interface Options {
  readonly gw: ClientGateway
  readonly logger: Logger
  /** For the mTLS port; without it the port is plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Longest time in which a whole request must arrive. */
  readonly requestMs: number
  /** Longest pause of who reads an answer. */
  readonly idleMs: number
  readonly maxConnections: number
}

/** URL and headers of a call, and some room to say which of them is too long. */
const MAX_HEADER_BYTES = 32_768

/** The port for information systems: X-Road Message Protocol for REST, r1 (protocol/README.md §3). */
export function createClientServer(options: Options): Server {
  const { gw, logger, tls, requestMs } = options
  const limits = serverLimits({ requestMs, maxHeaderBytes: MAX_HEADER_BYTES })
  const server = tls
    ? createHttpsServer({
        ...limits,
        ...tls,
        minVersion: 'TLSv1.2',
        requestCert: true,
        rejectUnauthorized: false, // identify-client decides, and says why
      })
    : createHttpServer(limits)
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response, options).catch((error: unknown) => {
      logger.error({ err: error }, 'an answer could not be sent')
      response.destroy()
    })
  })
  server.maxConnections = options.maxConnections
  server.maxHeadersCount = 0 // the size is what is limited
  refuseMalformed(server, async (error) => {
    const exchangeId = newExchangeId(gw.clock())
    await refuseUnread(exchangeId, error, 'client', gw)
    const problem = toProblem(error, 'client-gateway', exchangeId)
    logger.info({ id: exchangeId, code: problem.code }, 'exchange refused')
    const { contentType, body } = faultBody(problem, undefined)
    return {
      status: problem.status,
      headers: { ...refusalHeaders(problem), 'content-type': contentType },
      body,
    }
  })
  return server
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { gw, logger, idleMs }: Options,
): Promise<void> {
  const path = request.url?.split('?', 1)[0]
  if (path === '/listClients' && request.method === 'GET') {
    return listClients(request, response, gw)
  }
  await using scope = new AsyncDisposableStack()
  const begun = performance.now()
  const incoming = incomingOf(request, scope, gw.clock)
  const line = { id: incoming.exchangeId, method: request.method }
  try {
    const overTls = request.socket instanceof TLSSocket
    const { answer } = await requestExchange({ ...incoming, overTls }, gw)
    await sendAnswer(response, answer, idleMs).catch((error: unknown) => {
      // The exchange is done and recorded; that its answer was not taken is no refusal.
      logger.info({ ...line, err: error }, 'the answer was not taken')
      response.destroy()
    })
    const { status } = answer
    const service = answer.headers.find(([name]) => name === 'x-road-service')?.[1]
    logger.info({ ...line, service, status, ms: elapsed(begun) }, 'exchange answered')
  } catch (error) {
    const problem = toProblem(error, 'client-gateway', incoming.exchangeId)
    const { code, origin, status, detail } = problem
    const step = error instanceof ExchangeError ? error.step : undefined
    logger.info(
      { ...line, step, code, origin, status, detail, ms: elapsed(begun) },
      'exchange refused',
    )
    const fault = faultBody(problem, request.headers.accept)
    await sendRefusal(request, response, { status, headers: refusalHeaders(problem), ...fault })
  }
}

const elapsed = (begun: number): number => Math.round((performance.now() - begun) * 10) / 10

function refusalHeaders(problem: Problem): Record<string, string> {
  const allow = errorEntry(problem.code).status === 405 ? { allow: ALLOW } : {}
  return { 'X-Road-Error': problem.fault, 'x-road-request-id': problem.exchangeId, ...allow }
}

const ALLOW = 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE'

/** No exchange: answered from the snapshot, without signature or record (X-Road PR-META §2). */
async function listClients(
  request: IncomingMessage,
  response: ServerResponse,
  gw: ClientGateway,
): Promise<void> {
  try {
    const view = gw.catalogue.current(gw.clock())
    const body = JSON.stringify(clientList(view))
    response.writeHead(200, { 'content-type': 'application/json;charset=utf-8' }).end(body)
  } catch (error) {
    const problem = toProblem(error, 'client-gateway', newExchangeId(gw.clock()))
    const fault = faultBody(problem, request.headers.accept)
    const headers = refusalHeaders(problem)
    await sendRefusal(request, response, { status: problem.status, headers, ...fault })
  }
}
