import { checkServerIdentity, TLSSocket, type DetailedPeerCertificate } from 'node:tls'
import { buildConnector } from 'undici'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'

interface TlsOptions {
  readonly connectMs: number
  /** What we show. */
  readonly certificate?: string
  readonly privateKey?: string
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  /** Asks the server for the OCSP answer about its certificate (RFC 6066 §8). */
  readonly asksStaple?: boolean
  /** Judges what the other side shows; throws to refuse. */
  readonly verify: (shown: Shown) => Promise<void>
}

export interface Shown {
  readonly certificate: Certificate
  /** What came with it; nothing in them is believed. */
  readonly intermediates: Certificate[]
  /** Why the certificate is not one of the host that was called; undefined when it is. */
  readonly hostFault: string | undefined
  /** The OCSP answer that came in the handshake, unverified. */
  readonly stapled: Buffer | undefined
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
    requestOCSP: options.asksStaple === true,
    maxCachedSessions: 0, // a resumed session would not show its certificate again
    ...(options.certificate === undefined ? {} : { cert: options.certificate }),
    ...(options.privateKey === undefined ? {} : { key: options.privateKey }),
  })
  return (target, callback) => {
    let stapled: Buffer | undefined
    const opening: unknown = connect(target, (error, socket) => {
      if (error) return callback(error, null)
      checkPeer(socket as TLSSocket, { ...target, stapled }, options.verify).then(
        () => callback(null, socket),
        (refusal: unknown) => {
          socket.destroy()
          callback(refusal as Error, null)
        },
      )
    })
    // undici returns the socket, which its type leaves out; nobody else can hear what came in the handshake.
    if (opening instanceof TLSSocket) {
      opening.once('OCSPResponse', (response: Buffer | null) => (stapled = response ?? undefined))
    }
  }
}

async function checkPeer(
  socket: TLSSocket,
  { hostname, stapled }: { hostname: string; stapled: Buffer | undefined },
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
  if (certificate) await verify({ certificate, intermediates, hostFault, stapled, socket })
}

const MAX_CHAIN = 6

function nextOf(shown: DetailedPeerCertificate): DetailedPeerCertificate | undefined {
  return shown.issuerCertificate === shown ? undefined : shown.issuerCertificate
}
