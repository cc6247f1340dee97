import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { AllBodies } from './bodies.ts'
import type { GatewayConfig } from './config.ts'
import { toTls } from './credentials/tls.ts'
import type { Knowledge } from './knowledge.ts'
import type { OwnCredentials } from './own-credentials.ts'
import { createHandover } from './peers/handover.ts'
import { createPeers, type PeerQuestions } from './peers/peers.ts'
import type { Peers } from './ports.ts'
import { createHttpServices, type HttpServices } from './services/http-service.ts'

/** Connections that a gateway opens: to other gateways, and to the services behind it. */
export interface Outgoing {
  readonly peers: Peers & PeerQuestions
  readonly http: HttpServices
}

/** @param deps.scope closes the connections. */
export function openOutgoing(
  { timeouts, connections, ocspRefreshSeconds: refreshSeconds }: GatewayConfig,
  deps: {
    readonly own: OwnCredentials
    readonly knowledge: Knowledge
    readonly bodies: AllBodies
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Outgoing {
  const { own, knowledge, bodies, scope, clock, logger } = deps
  const { credentials, states } = own
  const { catalogue, trust } = knowledge
  const { connectMs, idleMs } = timeouts
  const common = {
    own: () => toTls(credentials.shown(clock())),
    ...{ trust, clock, connections, connectMs, idleMs },
  }
  const handover = createHandover({
    own: () => states.own(),
    take: (given, from) => states.take(given, from, catalogue.current(clock())),
    ...{ refreshSeconds, clock, logger },
  })
  const peers = createPeers({
    ...common,
    answerMs: timeouts.providerMs,
    takeStapled: (certificate, answer) => states.takeStapled(certificate, answer),
    handover,
  })
  scope.use(peers)
  const http = createHttpServices({
    ...common,
    answerMs: timeouts.serviceMs,
    receive: (stream, scope) => bodies.ofService(stream, scope),
  })
  scope.use(http)
  return { peers, http }
}
