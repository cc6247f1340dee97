import type { IncomingMessage, Server } from 'node:http'
import { createServer } from 'node:https'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { parseJws } from '../../protocol/jws.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { parseRequestManifest } from '../../protocol/manifest.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Problem } from '../../protocol/problem.ts'
import { refuseUnread, serveExchange } from '../exchange.ts'
import type { Received } from '../exchange-state.ts'
import type { ServerTls } from '../credentials/tls.ts'
import type { Explaining } from '../explain/explain.ts'
import type { ProviderGateway } from '../ports.ts'
import type { CertificateStates } from '../trust/certificate-states.ts'
import { answerPeerQuestion } from './explain-routes.ts'
import { serveExchanges, serverLimits } from './exchange-server.ts'
import type { Refusal } from './reply.ts'
import { answerCertificateStates } from './states-route.ts'
import { followTlsGeneration } from './tls-generation.ts'

interface Options {
  readonly gw: ProviderGateway
  readonly logger: Logger
  readonly tls: ServerTls
  readonly states: CertificateStates
  readonly explaining: Explaining
  /** The newest OCSP answer about a certificate of ours, to be stapled (RFC 6066 §8); undefined when none holds. */
  readonly staple: (certificateDer: Buffer) => Buffer | undefined
  /** Longest time in which a whole request must arrive. */
  readonly requestMs: number
  readonly idleMs: number
  readonly maxConnections: number
}

/** The port for other gateways: mTLS 1.3, a signed request in, a signed answer out (§6). */
export function createPeerServer(options: Options): Server {
  const { gw, logger, tls, states, requestMs, idleMs, maxConnections } = options
  const { cert, key } = tls.current
  const versions = { minVersion: 'TLSv1.3' } as const
  const server = createServer({
    ...serverLimits({ requestMs, maxHeaderBytes: LIMITS.wireHeaderBytes }),
    ...{ cert, key, ...versions },
    requestCert: true,
    rejectUnauthorized: false, // authenticate-peer decides, and says why
  })
  followTlsGeneration(server, { cert })
  tls.follow(server, versions)
  server.on('OCSPRequest', (certificate: Buffer, _issuer: Buffer, answer: AnswerStaple) =>
    answer(null, options.staple(certificate) ?? null),
  )
  server.on('tlsClientError', (error) =>
    logger.info({ err: error.message }, 'TLS handshake failed'),
  )
  return serveExchanges(server, {
    origin: 'provider-gateway',
    clock: gw.clock,
    logger,
    idleMs,
    maxConnections,
    answerLocally: (request, response) =>
      answerCertificateStates(request, response, { gw, states, refusal, logger }) ||
      answerPeerQuestion(request, response, { ...options, clock: gw.clock, refusal }),
    run: async (incoming, request) => {
      const received = { ...incoming, ...claims(request) }
      const { answer, responseJws } = await serveExchange(received, gw)
      return { answer, added: [[MANIFEST_HEADER, responseJws]] }
    },
    refusal,
    recordUnread: (exchangeId, error) => refuseUnread(exchangeId, error, 'provider', gw),
  })
}

type AnswerStaple = (error: Error | null, ocsp: Buffer | null) => void

function refusal(problem: Problem): Refusal {
  const { status } = problem
  const body = JSON.stringify(problem)
  return { status, headers: {}, contentType: 'application/problem+json', body }
}

/** What the caller says of the exchange. Unverified: authenticate-peer decides what it is worth. */
function claims(request: IncomingMessage): Pick<Received, 'claimedExchangeId' | 'claimedSnapshot'> {
  const jws = request.headers[MANIFEST_HEADER]
  if (typeof jws !== 'string' || jws.length > LIMITS.manifestBytes) return {}
  try {
    const { exchangeId, snapshot } = parseRequestManifest(parseJws(jws).payload)
    return { claimedExchangeId: exchangeId, claimedSnapshot: snapshot }
  } catch {
    return {}
  }
}
