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

/** What an administrator vouches for: whoever holds the key of the request is this one. */
export interface Entitlement {
  readonly kind: CertificateKind
  readonly identity: CertificateIdentity
  /** Granted: a request may ask for fewer. */
  readonly subjectAltNames: readonly string[]
}

/** What an administrator asks for at once. */
export interface IssueOrder extends Omit<Entitlement, 'subjectAltNames'> {
  /** PEM or DER of the request made where the key is. */
  readonly csr: string | Uint8Array
  readonly subjectAltNames?: readonly string[]
  /** Shortens the life. */
  readonly validityDays?: number
  /** Certificates of one enrolment may renew each other's: those of one gateway. */
  readonly enrolment?: string
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
 * Checks that an identity and names are ones that a kind may have.
 *
 * @throws ExchangeError `admin.invalid`
 */
export function verifyEntitlement(instance: string, entitlement: Entitlement): void {
  const { identity, kind, subjectAltNames } = entitlement
  if (identity.instance !== instance) refuse(`this authority issues for ${instance} only`)
  for (const part of ['gateway', 'subsystem'] as const) {
    const fault = presenceFault(identity[part] !== undefined, IDENTITY_PARTS[kind][part])
    if (fault !== undefined) refuse(`identity.${part} ${fault} for a certificate of kind ${kind}`)
  }
  verifyIdentifier(identity)
  const fault = presenceFault(subjectAltNames.length > 0, PROFILES[kind].subjectAltNames)
  if (fault !== undefined) refuse(`subjectAltNames ${fault} for a certificate of kind ${kind}`)
  const odd = subjectAltNames.find((name) => !isAltName(name))
  if (odd !== undefined) refuse(`subjectAltNames: ${odd} is neither a DNS name nor an IP address`)
}

/**
 * Reads a request, set by whoever sends it.
 *
 * @throws ExchangeError with the code of the fault: `encoding.…`, `enrolment.…`, `certificate.malformed`.
 */
export function readRequest(csr: string | Uint8Array): CertificateRequest {
  try {
    return parseCsr(csr)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError(cause.code, cause.message, { cause })
  }
}

/**
 * Checks that a request asks for no more than was vouched for. Nothing is granted that stands only in the
 * request.
 *
 * @throws ExchangeError `enrolment.identity-mismatch`
 */
export function verifyAsked(request: CertificateRequest, entitlement: Entitlement): void {
  const fault = askedFault(request, entitlement)
  if (fault !== undefined) throw new ExchangeError('enrolment.identity-mismatch', fault)
}

/** What a request asks for that was not vouched for; undefined when nothing. */
export function askedFault(
  { identity: asked, subject, subjectAltNames }: CertificateRequest,
  { identity, subjectAltNames: granted }: Omit<Entitlement, 'kind'>,
): string | undefined {
  if (asked === undefined || !isSameIdentity(asked, identity)) {
    return `the request is for ${subject}, which is not ${formatIdentity(identity)}`
  }
  const extra = subjectAltNames.find((name) => !granted.includes(name))
  if (extra === undefined) return undefined
  return `the request asks for the name ${extra}, which was not granted to ${formatIdentity(identity)}`
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
