import { createServer } from 'node:https'
import { parseCertificate } from '../pki/certificate.ts'
import { API_SERVER, createApi, limitApiServer } from '../runtime/admin-api.ts'
import { listen } from '../runtime/lifecycle.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'
import type { ServerTls } from './credentials/tls.ts'
import type { Explaining } from './explain/explain.ts'
import { createClientServer } from './http/client-server.ts'
import { createPeerServer } from './http/peer-server.ts'
import { createTransparencyServer, type PublicRoute } from './http/transparency-server.ts'
import type { ClientGateway, ProviderGateway } from './ports.ts'
import type { CertificateStates } from './trust/certificate-states.ts'
import type { OcspCache } from './trust/ocsp-cache.ts'

/** Ports in use; 0 for one that is closed. */
export interface OpenPorts {
  readonly http: number
  readonly https: number
  readonly peers: number
}

interface Common {
  readonly tls: ServerTls
  /** Closes the ports. */
  readonly scope: AsyncDisposableStack
  readonly logger: Logger
}

/** Opens the ports for exchanges: of information systems, and of other gateways. @throws ConfigError */
export async function openPorts(
  config: GatewayConfig,
  gw: ClientGateway & ProviderGateway,
  deps: Common & {
    readonly states: CertificateStates
    readonly ocsp: Pick<OcspCache, 'answer'>
    readonly explaining: Explaining
  },
): Promise<OpenPorts> {
  const { tls, states, ocsp, explaining, scope, logger } = deps
  const { host, httpPort, httpsPort } = config.informationSystems
  const common = {
    gw,
    explaining,
    logger,
    maxConnections: config.maxConnections,
    ...config.timeouts,
  }
  const ports = { http: 0, https: 0 }
  if (httpPort !== 0) {
    logger.warn({ httpPort }, 'informationSystems.httpPort believes X-Road-Client; set it to 0')
    ports.http = scope.use(await listen(createClientServer(common), httpPort, host)).port
  }
  if (httpsPort !== 0) {
    const server = createClientServer({ ...common, tls })
    ports.https = scope.use(await listen(server, httpsPort, host)).port
  }
  const staple = (der: Buffer): Buffer | undefined =>
    ocsp.answer(parseCertificate(der).thumbprint)?.der
  const server = createPeerServer({ ...common, tls, states, staple })
  const peers = scope.use(await listen(server, config.peers.port, config.peers.host)).port
  return { ...ports, peers }
}

/** Opens the port for administration. @throws ConfigError */
export async function openAdminPort(
  { admin }: GatewayConfig,
  {
    routes,
    token,
    principalOf,
    ...deps
  }: Common & Pick<Parameters<typeof createApi>[0], 'routes' | 'token' | 'principalOf'>,
): Promise<number> {
  const { tls, scope, logger } = deps
  const auditors = principalOf ? { principalOf } : {}
  const api = createApi({ routes, token, ...auditors, origin: 'client-gateway', logger })
  const versions = { minVersion: 'TLSv1.2' } as const
  const { cert, key } = tls.current
  const server = createServer({ ...API_SERVER, cert, key, ...versions }, api)
  tls.follow(server, versions)
  limitApiServer(server)
  return scope.use(await listen(server, admin.port, admin.host)).port
}

/** Opens the port for everybody. @returns 0 when it is closed. @throws ConfigError */
export async function openTransparencyPort(
  { transparency: { host, port } }: GatewayConfig,
  { scope, ...deps }: Common & { readonly routes: readonly PublicRoute[] },
): Promise<number> {
  if (port === 0) return 0
  return scope.use(await listen(createTransparencyServer(deps), port, host)).port
}
