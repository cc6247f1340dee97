import type { TLSSocket } from 'node:tls'
import { buildConnector } from 'undici'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'

interface TlsOptions {
  readonly connectMs: number
  /** What we show. */
  readonly certificate?: string
  readonly privateKey?: string
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** Judges what the other side shows; throws to refuse. */
  readonly verify: (certificate: Certificate) => Promise<void>
}

/**
 * An undici connector whose certificate check is ours: Node's own would say only that something was
 * wrong, could not ask OCSP, and does not know the snapshot's pins.
 */
export function tlsConnector(options: TlsOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.connectMs,
    minVersion: options.minVersion ?? 'TLSv1.3',
    rejectUnauthorized: false, // decided below, before a byte is sent
    maxCachedSessions: 0, // a resumed session would not show its certificate again
    ...(options.certificate === undefined ? {} : { cert: options.certificate }),
    ...(options.privateKey === undefined ? {} : { key: options.privateKey }),
  })
  return (target, callback) => {
    connect(target, (error, socket) => {
      if (error) return callback(error, null)
      checkPeer(socket as TLSSocket, options.verify).then(
        () => callback(null, socket),
        (refusal: unknown) => {
          socket.destroy()
          callback(refusal as Error, null)
        },
      )
    })
  }
}

async function checkPeer(
  socket: TLSSocket,
  verify: (certificate: Certificate) => Promise<void>,
): Promise<void> {
  const shown = socket.getPeerX509Certificate()
  if (shown === undefined) {
    throw new ExchangeError('certificate.untrusted', 'the server showed no certificate')
  }
  let certificate: Certificate
  try {
    certificate = parseCertificate(shown.raw)
  } catch (cause) {
    throw new ExchangeError('certificate.untrusted', 'the certificate cannot be read', { cause })
  }
  await verify(certificate)
}
