import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import { API_SERVER, createApi, limitApiServer, type Route } from '../../runtime/admin-api.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ServerTls } from '../credentials/tls.ts'

/** What anybody may ask for. */
export type PublicRoute = Route & { readonly access: 'public' }

/**
 * The port on which a gateway shows its log to the world, and serves as a witness: HTTPS with its authentication
 * certificate, without one of the caller. Nothing here tells of an exchange.
 */
export function createTransparencyServer(options: {
  readonly routes: readonly PublicRoute[]
  readonly tls: ServerTls
  readonly logger: Logger
}): Server {
  const { routes, tls, logger } = options
  // No route asks for the token: nobody has it.
  const token = randomBytes(32).toString('hex')
  const api = createApi({ routes, token, origin: 'provider-gateway', logger })
  const versions = { minVersion: 'TLSv1.2' } as const
  const { cert, key } = tls.current
  const server = createServer({ ...API_SERVER, cert, key, ...versions }, api)
  tls.follow(server, versions)
  server.on('tlsClientError', (error) =>
    logger.debug({ err: error.message }, 'TLS handshake failed'),
  )
  return limitApiServer(server)
}
