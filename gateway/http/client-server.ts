import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { TLSSocket } from 'node:tls'
import { toProblem, type Problem } from '../../protocol/problem.ts'
import { METHODS } from '../../protocol/methods.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import type { Logger } from '../../runtime/logger.ts'
import { refuseUnread, requestExchange } from '../exchange.ts'
import type { ServerTls } from '../credentials/tls.ts'
import type { Explaining } from '../explain/explain.ts'
import type { ClientGateway } from '../ports.ts'
import { clientList } from '../services/metadata.ts'
import { answerClientQuestion } from './explain-routes.ts'
import { serveExchanges, serverLimits } from './exchange-server.ts'
import { faultBody, sendRefusal, type Refusal } from './reply.ts'

interface Options {
  readonly gw: ClientGateway
  readonly logger: Logger
  readonly explaining: Explaining
  /** For the mTLS port; without it the port is plain HTTP. */
  readonly tls?: ServerTls
  /** Longest time in which a whole request must arrive. */
  readonly requestMs: number
  readonly idleMs: number
  readonly maxConnections: number
}

/** URL and headers of a call, and some room to say which of them is too long. */
const MAX_HEADER_BYTES = 32_768

/** The port for information systems: X-Road Message Protocol for REST, r1 (protocol/README.md §3). */
export function createClientServer(options: Options): Server {
  const { gw, logger, tls, requestMs, idleMs, maxConnections } = options
  const limits = serverLimits({ requestMs, maxHeaderBytes: MAX_HEADER_BYTES })
  const server = tls ? createMutualServer(limits, tls) : createHttpServer(limits)
  return serveExchanges(server, {
    origin: 'client-gateway',
    clock: gw.clock,
    logger,
    idleMs,
    maxConnections,
    answerLocally: (request, response) =>
      listClients(request, response, gw) ||
      answerClientQuestion(request, response, { ...options, clock: gw.clock, refusal }),
    run: (incoming, request) =>
      requestExchange({ ...incoming, overTls: request.socket instanceof TLSSocket }, gw),
    refusal,
    recordUnread: (exchangeId, error) => refuseUnread(exchangeId, error, 'client', gw),
  })
}

function createMutualServer(limits: ReturnType<typeof serverLimits>, tls: ServerTls): Server {
  const { cert, key } = tls.current
  const versions = { minVersion: 'TLSv1.2' } as const
  // identify-client decides about the certificate, and says why
  const mutual = { requestCert: true, rejectUnauthorized: false }
  const server = createHttpsServer({ ...limits, cert, key, ...versions, ...mutual })
  tls.follow(server, versions)
  return server
}

function refusal(problem: Problem, accept: string | undefined): Refusal {
  const { status, fault, exchangeId } = problem
  const allow = status === 405 ? { allow: METHODS.join(', ') } : {}
  const headers = { 'X-Road-Error': fault, 'x-road-request-id': exchangeId, ...allow }
  return { status, headers, ...faultBody(problem, accept) }
}

/** `GET /listClients` is no exchange: answered from the snapshot, unsigned, unrecorded (PR-META §2). */
function listClients(
  request: IncomingMessage,
  response: ServerResponse,
  gw: ClientGateway,
): boolean {
  if (request.method !== 'GET' || request.url?.split('?', 1)[0] !== '/listClients') return false
  const at = gw.clock()
  try {
    const body = JSON.stringify(clientList(gw.catalogue.current(at)))
    response.writeHead(200, { 'content-type': 'application/json;charset=utf-8' }).end(body)
  } catch (error) {
    const problem = toProblem(error, 'client-gateway', newExchangeId(at))
    void sendRefusal(request, response, refusal(problem, request.headers.accept))
  }
  return true
}
