import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** True for TLS until the handshake is done; @types/node leaves `secureConnecting` out. */
export function isInHandshake(socket: Socket): boolean {
  return (
    socket instanceof TLSSocket &&
    (socket as { secureConnecting?: boolean }).secureConnecting === true
  )
}
