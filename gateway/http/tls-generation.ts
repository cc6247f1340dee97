import { X509Certificate } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import { TLSSocket, type SecureContextOptions } from 'node:tls'

/** A server's certificate, and how often it has been replaced. */
export interface TlsGeneration {
  /** 1 at first, one more with every `setSecureContext`. */
  readonly generation: number
}

/**
 * Ends connections that were made with a certificate that has been replaced since, each with its next
 * answer (`Connection: close`, RFC 9112 §9.6): whoever calls learns the new one, and no exchange is cut off.
 *
 * @param server without connections yet; `setSecureContext` replaces its certificate, as always.
 */
export function followTlsGeneration(
  server: Server,
  first: { readonly cert: string },
): TlsGeneration {
  const shownOn = new WeakMap<TLSSocket, string>()
  let current = fingerprintOf(first)
  let generation = 1
  const replace = server.setSecureContext.bind(server)
  server.setSecureContext = (options) => {
    replace(options)
    current = fingerprintOf(options)
    generation += 1
  }
  // What the handshake showed, not what was in force when it ended: it may have been replaced in between.
  server.on('secureConnection', (socket: TLSSocket) => {
    const shown = socket.getX509Certificate()?.fingerprint256
    if (shown !== undefined) shownOn.set(socket, shown)
  })
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (!(socket instanceof TLSSocket)) return
    if (shownOn.get(socket) !== current) response.shouldKeepAlive = false
  })
  return {
    get generation() {
      return generation
    },
  }
}

function fingerprintOf({ cert }: SecureContextOptions): string | undefined {
  const [own] = [cert ?? []].flat()
  return own === undefined ? undefined : new X509Certificate(own).fingerprint256
}
