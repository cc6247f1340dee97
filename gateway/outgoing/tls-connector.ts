import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
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
  readonly verify: (shown: Shown) => Promise<void>
}

export interface Shown {
  readonly certificate: Certificate
  /** What came with it; nothing in them is believed. */
  readonly intermediates: Certificate[]
  /** Why the certificate is not one of the host that was called; undefined when it is. */
  readonly hostFault: string | undefined
  readonly socket: TLSSocket
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
      checkPeer(socket as TLSSocket, target.hostname, options.verify).then(
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
  hostname: string,
  verify: TlsOptions['verify'],
): Promise<void> {
  let shown: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  // Its type leaves out that a server may show none, and that the chain ends in itself.
  if (!shown.raw)
    throw new ExchangeError('certificate.untrusted', 'the server showed no certificate')
  const hostFault = checkServerIdentity(hostname, shown)?.message
  const chain: Certificate[] = []
  try {
    for (; shown?.raw && chain.length < MAX_CHAIN; shown = nextOf(shown)) {
      chain.push(parseCertificate(shown.raw))
    }
  } catch (cause) {
    throw new ExchangeError('certificate.untrusted', 'the certificate cannot be read', { cause })
  }
  const [certificate, ...intermediates] = chain
  if (certificate) await verify({ certificate, intermediates, hostFault, socket })
}

const MAX_CHAIN = 6

function nextOf(shown: DetailedPeerCertificate): DetailedPeerCertificate | undefined {
  return shown.issuerCertificate === shown ? undefined : shown.issuerCertificate
}
