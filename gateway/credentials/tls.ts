import type { Server } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Credential } from './credential.ts'
import type { Credentials } from './credentials.ts'

/** What this gateway shows in handshakes. */
export interface OwnTls {
  readonly thumbprint: string
  /** PEM: the certificate and those behind it, and the key. */
  readonly cert: string
  readonly key: string
}

/** Lets servers show the authentication certificate that is in force, without a restart. */
export interface ServerTls extends Disposable {
  readonly current: OwnTls
  /**
   * Gives `server` each new certificate; connections that are open stay as they are.
   *
   * @param options what the server was made with beside certificate and key: what is not said again goes
   *   back to Node's default.
   */
  follow(server: Server, options: SecureContextOptions): void
  /** Looks whether another certificate is in force. */
  refresh(): void
}

const LOOK_MS = 500

export function createServerTls(deps: {
  readonly credentials: Pick<Credentials, 'shown'>
  readonly clock: Clock
  readonly logger: Logger
}): ServerTls {
  const { credentials, clock, logger } = deps
  const followers: ((own: OwnTls) => void)[] = []
  let current = toTls(credentials.shown(clock()))
  const refresh = (): void => {
    const shown = credentials.shown(clock())
    if (shown.certificate.thumbprint === current.thumbprint) return
    current = toTls(shown)
    for (const follower of followers) follower(current)
    const { thumbprint, notAfter } = shown.certificate
    logger.info({ thumbprint, notAfter }, 'authentication certificate in use changed')
  }
  const timer = setInterval(refresh, LOOK_MS)
  timer.unref()
  return {
    get current() {
      return current
    },
    follow: (server, options) => {
      followers.push(({ cert, key }) => server.setSecureContext({ ...options, cert, key }))
    },
    refresh,
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** @param credential for authentication, which has its key as a text. */
export function toTls({ certificate: { thumbprint }, chain, tlsKey = '' }: Credential): OwnTls {
  return { thumbprint, cert: chain, key: tlsKey }
}
