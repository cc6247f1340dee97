import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { ExchangeError } from '../../protocol/errors.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { parseJws } from '../../protocol/jws.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { parseRequestManifest } from '../../protocol/manifest.ts'
import { toProblem } from '../../protocol/problem.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import type { Logger } from '../../runtime/logger.ts'
import { refuseUnread, serveExchange } from '../exchange.ts'
import type { ProviderGateway } from '../ports.ts'
import { incomingOf, refuseMalformed, serverLimits } from './exchange-server.ts'
import { sendAnswer, sendRefusal } from './reply.ts'

interface Options {
  readonly gw: ProviderGateway
  readonly logger: Logger
  readonly tls: { readonly cert: string; readonly key: string }
  readonly requestMs: number
  /** Longest pause of who reads an answer. */
  readonly idleMs: number
  readonly maxConnections: number
}

/** The port for other gateways: mTLS 1.3, a signed request in, a signed answer out (§6). */
export function createPeerServer(options: Options): Server {
  const { gw, logger, tls, requestMs } = options
  const server = createServer({
    ...serverLimits({ requestMs, maxHeaderBytes: LIMITS.wireHeaderBytes }),
    ...tls,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false, // authenticate-peer decides, and says why
  })
  server.maxConnections = options.maxConnections
  server.maxHeadersCount = 0
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response, options).catch((error: unknown) => {
      logger.error({ err: error }, 'an answer could not be sent')
      response.destroy()
    })
  })
  refuseMalformed(server, async (error) => {
    const exchangeId = newExchangeId(gw.clock())
    await refuseUnread(exchangeId, error, 'provider', gw)
    const problem = toProblem(error, 'provider-gateway', exchangeId)
    return {
      status: problem.status,
      headers: { 'content-type': 'application/problem+json' },
      body: JSON.stringify(problem),
    }
  })
  server.on('tlsClientError', (error) =>
    logger.info({ err: error.message }, 'TLS handshake failed'),
  )
  return server
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  { gw, logger, idleMs }: Options,
): Promise<void> {
  await using scope = new AsyncDisposableStack()
  const begun = performance.now()
  const claimed = claimedExchangeId(request)
  const incoming = incomingOf(request, scope, gw.clock)
  const received = claimed === undefined ? incoming : { ...incoming, claimedExchangeId: claimed }
  const elapsed = (): number => Math.round((performance.now() - begun) * 10) / 10
  const line = { id: received.exchangeId, method: request.method }
  try {
    const { answer, responseJws } = await serveExchange(received, gw)
    const added = [[MANIFEST_HEADER, responseJws]] as const
    await sendAnswer(response, answer, idleMs, added).catch((error: unknown) => {
      logger.info({ ...line, err: error }, 'the answer was not taken')
      response.destroy()
    })
    logger.info({ ...line, status: answer.status, ms: elapsed() }, 'exchange served')
  } catch (error) {
    const known = error instanceof ExchangeError ? error.exchangeId : undefined
    const problem = toProblem(error, 'provider-gateway', known ?? received.exchangeId)
    const { code, origin, status, detail } = problem
    const step = error instanceof ExchangeError ? error.step : undefined
    logger.info({ ...line, step, code, origin, status, detail, ms: elapsed() }, 'exchange refused')
    await sendRefusal(request, response, {
      status,
      headers: {},
      contentType: 'application/problem+json',
      body: JSON.stringify(problem),
    })
  }
}

/** What the caller calls the exchange. Unverified: authenticate-peer decides what it is worth. */
function claimedExchangeId(request: IncomingMessage): string | undefined {
  const jws = request.headers[MANIFEST_HEADER]
  if (typeof jws !== 'string' || jws.length > LIMITS.manifestBytes) return undefined
  try {
    return parseRequestManifest(parseJws(jws).payload).exchangeId
  } catch {
    return undefined
  }
}
