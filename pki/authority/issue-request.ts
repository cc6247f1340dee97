import { ExchangeError } from '../../protocol/errors.ts'
import { readClientId, readGatewayId } from '../../protocol/identifiers.ts'
import { CertificateError } from '../certificate.ts'
import { parseCsr, type CertificateRequest } from '../csr.ts'
import {
  formatIdentity,
  isSameIdentity,
  type CertificateIdentity,
  type CertificateKind,
} from '../identity.ts'
import { PROFILES } from '../profiles.ts'
import { isAltName } from '../subject-alt-name.ts'

/** What an administrator asks for, and vouches for. */
export interface IssueOrder {
  /** PEM or DER of the request made where the key is. */
  readonly csr: string | Uint8Array
  readonly kind: CertificateKind
  readonly identity: CertificateIdentity
  readonly subjectAltNames?: readonly string[]
  /** Shortens the life. */
  readonly validityDays?: number
}

type Presence = 'required' | 'optional' | 'none'

/** Which parts of an identity a kind has beyond instance, class and member. */
const IDENTITY_PARTS: Readonly<Record<CertificateKind, Record<'gateway' | 'subsystem', Presence>>> =
  {
    authentication: { gateway: 'required', subsystem: 'none' },
    signing: { gateway: 'none', subsystem: 'none' },
    'information-system': { gateway: 'none', subsystem: 'optional' },
    server: { gateway: 'none', subsystem: 'none' },
  }

/**
 * Checks that the request is the one the administrator vouches for, and fits the profile. Nothing is
 * granted that stands only in the request.
 *
 * @throws ExchangeError `admin.invalid`
 */
export function verifyOrder(order: IssueOrder): CertificateRequest {
  const { identity, kind, subjectAltNames = [] } = order
  for (const part of ['gateway', 'subsystem'] as const) {
    const fault = presenceFault(identity[part] !== undefined, IDENTITY_PARTS[kind][part])
    if (fault !== undefined) refuse(`identity.${part} ${fault} for a certificate of kind ${kind}`)
  }
  verifyIdentifier(identity)
  const fault = presenceFault(subjectAltNames.length > 0, PROFILES[kind].subjectAltNames)
  if (fault !== undefined) refuse(`subjectAltNames ${fault} for a certificate of kind ${kind}`)
  const odd = subjectAltNames.find((name) => !isAltName(name))
  if (odd !== undefined) refuse(`subjectAltNames: ${odd} is neither a DNS name nor an IP address`)

  const request = readRequest(order.csr)
  if (request.identity === undefined || !isSameIdentity(request.identity, identity)) {
    refuse(
      `the request was made for ${request.subject}, and the certificate is for ${formatIdentity(identity)}`,
    )
  }
  const extra = request.subjectAltNames.find((name) => !subjectAltNames.includes(name))
  if (extra !== undefined) {
    refuse(`the request asks for the name ${extra}, which subjectAltNames does not grant`)
  }
  return request
}

function readRequest(csr: string | Uint8Array): CertificateRequest {
  try {
    return parseCsr(csr)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError('admin.invalid', cause.message, { cause })
  }
}

function presenceFault(isPresent: boolean, presence: Presence): string | undefined {
  if (presence === 'required' && !isPresent) return 'is needed'
  return presence === 'none' && isPresent ? 'must be left out' : undefined
}

/** The parts must be what an identifier of the exchange is made of, or nobody could name the member. */
function verifyIdentifier(identity: CertificateIdentity): void {
  const { instance, memberClass, member, gateway, subsystem } = identity
  const last = gateway ?? subsystem
  const text = [instance, memberClass, member, ...(last === undefined ? [] : [last])].join('/')
  try {
    const read = gateway === undefined ? readClientId(text) : readGatewayId(text)
    // A slash inside a part would have been read as two parts.
    if (isSameIdentity(read, identity)) return
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw new ExchangeError('admin.invalid', `identity: ${cause.message}`, { cause })
  }
  refuse('identity: a part holds a slash')
}

function refuse(detail: string): never {
  throw new ExchangeError('admin.invalid', detail)
}
