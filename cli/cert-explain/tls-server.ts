import { isIP } from 'node:net'
import {
  checkServerIdentity,
  connect,
  type DetailedPeerCertificate,
  type TLSSocket,
} from 'node:tls'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { attention, wrong, type Part } from './explanation.ts'
import { purposeOf } from './words.ts'

export interface ServerTarget {
  readonly host: string
  readonly port: number
  /** Name for SNI; by default the host, unless that is an address. */
  readonly serverName?: string
  /** PEM, shown to the server when it asks. */
  readonly cert?: string
  readonly key?: string
}
/** What came with the handshake. */
export interface ServerAnswer {
  /** Empty: it showed none. */
  readonly certificates: readonly Certificate[]
  readonly staple?: Buffer
  readonly part: Part
}

const HANDSHAKE_MS = 5000

/** Looks at a TLS server without believing it anything. Never throws for what the server does. */
export async function readServer(target: ServerTarget): Promise<ServerAnswer> {
  const { host, port, serverName = isIP(host) ? '' : host, cert, key } = target
  const socket = connect({
    host,
    port,
    servername: serverName,
    rejectUnauthorized: false,
    requestOCSP: true,
    // No certificates of this machine among those that the server sent.
    ca: [],
    // Whatever it can do: it is looked at, nothing is sent to it.
    minVersion: 'TLSv1',
    ciphers: 'ALL:@SECLEVEL=0',
    ...(cert === undefined ? {} : { cert, key }),
  })
  let staple: Buffer | undefined
  socket.on(
    'OCSPResponse',
    (answer: Buffer | null) => (staple = answer?.length ? answer : undefined),
  )
  const fault = await handshake(socket)
  const certificates = shownCertificates(socket)
  const protocol = socket.getProtocol() ?? undefined
  const cipher = socket.getCipher() as { name?: string } | undefined
  socket.destroy()
  if (fault !== undefined && certificates.length === 0)
    return { certificates, part: refused(target, fault) }
  const findings = [
    ...(certificates.length === 0 ? [noCertificate(target)] : []),
    ...(fault === undefined
      ? []
      : [
          wrong(
            `The handshake failed after its certificate: ${fault}.`,
            'It may ask for a client certificate: give --cert and --key.',
          ),
        ]),
    ...(protocol && protocol < 'TLSv1.2'
      ? [
          wrong(
            `It speaks ${protocol}.`,
            'Gateways and the command need TLS 1.2 or 1.3: configure it so.',
          ),
        ]
      : []),
    ...nameFindings(target, certificates[0], serverName || host),
  ]
  return {
    certificates,
    ...(staple ? { staple } : {}),
    part: {
      facts: {
        server: `${host}:${port}${serverName === '' ? '' : `, asked for ${serverName}`}`,
        tls: [protocol, cipher?.name].filter(Boolean).join(', '),
        sent: certificates.map(({ subject }) => subject),
        stapled: staple ? 'an OCSP answer' : 'no OCSP answer',
      },
      findings,
      unknown: [],
    },
  }
}

/** @returns what went wrong, in words; undefined when the handshake was completed. */
function handshake(socket: TLSSocket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve(`it did not answer a TLS handshake within ${HANDSHAKE_MS / 1000} seconds`),
      HANDSHAKE_MS,
    )
    const end = (fault?: string): void => {
      clearTimeout(timer)
      resolve(fault)
    }
    socket.once('secureConnect', () => end())
    socket.once('close', () => end('it closed the connection within the handshake'))
    // Stays: what comes later is about a connection that is given up.
    socket.on('error', (error: NodeJS.ErrnoException & { reason?: string }) => {
      end([error.code, error.reason ?? error.message].filter(Boolean).join(': '))
    })
  })
}

function shownCertificates(socket: TLSSocket): Certificate[] {
  const certificates: Certificate[] = []
  const seen = new Set<string>()
  let next = socket.getPeerCertificate(true) as DetailedPeerCertificate | undefined
  while (next?.raw !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256)
    certificates.push(parseCertificate(next.raw))
    next = next.issuerCertificate
  }
  return certificates
}

function refused({ host, port }: ServerTarget, fault: string): Part {
  const place = `${host}:${port}`
  const finding = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)/.test(
    fault,
  )
    ? wrong(
        `${place} cannot be reached (${fault}).`,
        'See that the program runs, and that name, port and firewall are right.',
      )
    : /wrong version number|packet length|EPROTO: unknown|record/i.test(fault)
      ? wrong(
          `${place} does not speak TLS (${fault}).`,
          'It may be the plain HTTP port; use the HTTPS one.',
        )
      : /handshake failure|no shared cipher|no suitable/i.test(fault)
        ? wrong(
            `${place} refused the handshake (${fault}).`,
            'It may have no certificate, or share no TLS version or cipher; see its log.',
          )
        : wrong(
            `${place} gave no certificate: ${fault}.`,
            'See that it is a TLS port, and look at its log.',
          )
  return { facts: { server: place }, findings: [finding], unknown: [] }
}

const noCertificate = ({ host, port }: ServerTarget) =>
  wrong(
    `${host}:${port} shows no certificate.`,
    'Give the server its certificate and key; nobody can know whom it is.',
  )

/** Gateways know each other by registration; everybody else goes by the name. */
function nameFindings(
  { host, port }: ServerTarget,
  certificate: Certificate | undefined,
  name: string,
): ReturnType<typeof wrong>[] {
  if (certificate === undefined) return []
  const altNames = certificate.subjectAltNames.map((alt) =>
    isIP(alt) ? `IP Address:${alt}` : `DNS:${alt}`,
  )
  const peer = { subject: { CN: '' }, subjectaltname: altNames.join(', ') }
  const fault =
    altNames.length === 0 ? 'it names no host' : checkServerIdentity(name, peer as never)?.message
  if (fault === undefined) return []
  const what = `The certificate of ${host}:${port} is not for the name ${name}: ${fault}.`
  const remedy =
    'Call it by a name in its certificate, or ask for one with this name (subjectAltName).'
  return [
    purposeOf(certificate) === 'authentication' ? attention(what, remedy) : wrong(what, remedy),
  ]
}
