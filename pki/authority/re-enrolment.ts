import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { CertificateError, parseCertificate, type Certificate } from '../certificate.ts'
import type { CertificateRequest } from '../csr.ts'
import { subjectOf, type CertificateKind } from '../identity.ts'
import { verifyPath } from '../path.ts'
import type { CertificateStore, IssuedCertificate } from './certificate-store.ts'
import { readRequest } from './issue-request.ts'
import { issuerOf, type Issuers, type IssuingName } from './issuers.ts'
import type { Issuing } from './issuing.ts'

export interface ReEnrolmentRequest {
  /** DER of a PKCS#10 request. */
  readonly csr: Uint8Array
  /** DER of what the TLS client showed and proved to hold the key of; undefined when nothing. */
  readonly peerCertificate: Uint8Array | undefined
  readonly label?: IssuingName | undefined
  readonly remoteAddress: string
}

/**
 * Renews a certificate (RFC 7030 §4.2.2) for whoever holds its key; or the signing certificate of a member
 * for whoever holds the authentication certificate of the same enrolment, because signing keys do no TLS.
 *
 * @throws ExchangeError `enrolment.…`, `certificate.…` or `encoding.…` with the fault.
 */
export type ReEnrol = (request: ReEnrolmentRequest) => Promise<Certificate>

export function createReEnrolment(deps: {
  readonly store: CertificateStore
  readonly issuers: Issuers
  readonly issuing: Issuing
  readonly clock: Clock
}): ReEnrol {
  const { store, issuers, issuing, clock } = deps
  return async ({ csr: der, peerCertificate, label, remoteAddress }) => {
    if (peerCertificate === undefined) {
      throw new ExchangeError(
        'enrolment.unauthenticated',
        'no certificate was shown in the TLS handshake',
      )
    }
    const shown = readShown(store, peerCertificate)
    verifyInForce(shown, issuers, clock())
    const csr = readRequest(der)
    const renewed = chooseRenewed(store, shown, csr, clock())
    const { certificate, kind, enrolment } = renewed
    if (label !== undefined && issuerOf(kind) !== label) {
      throw mismatch(`a certificate of kind ${kind} is not issued by the ${label} authority`)
    }
    // The profile gives it no more than it had: kind, identity and names are those on record.
    return await issuing.issue({
      profile: kind,
      subject: subjectOf(certificate.identity!),
      publicKey: csr.publicKey,
      subjectAltNames: certificate.subjectAltNames,
      remoteAddress,
      ...(enrolment === undefined ? {} : { enrolment }),
    })
  }
}

/** @throws ExchangeError `certificate.revoked` naming time and reason. */
export function verifyNotRevoked({ certificate, revocation }: IssuedCertificate): void {
  if (revocation === undefined) return
  const { revokedAt, reason } = revocation
  throw new ExchangeError(
    'certificate.revoked',
    `the certificate ${certificate.serial} of ${certificate.subject} was revoked at ${revokedAt.toISOString()} (${reason})`,
  )
}

type Renewable = IssuedCertificate & { readonly kind: CertificateKind }

const RENEWABLE: readonly string[] = ['authentication', 'signing', 'information-system', 'server']

function isRenewable(issued: IssuedCertificate): issued is Renewable {
  return RENEWABLE.includes(issued.kind) && issued.certificate.identity !== undefined
}

/** The record of what a TLS client showed: its bytes are the client's choice. */
function readShown(store: CertificateStore, der: Uint8Array): Renewable {
  let certificate: Certificate
  try {
    certificate = parseCertificate(der)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError(cause.code, cause.message, { cause })
  }
  const issued = store.findExact(certificate)
  if (issued !== undefined && isRenewable(issued)) return issued
  throw new ExchangeError(
    'certificate.untrusted',
    `the certificate of ${certificate.subject}, issued by ${certificate.issuer}, was not issued here to a member`,
  )
}

function verifyInForce(issued: Renewable, issuers: Issuers, at: Date): void {
  verifyNotEnded(issued, at)
  verifyPath(issued.certificate, {
    anchors: [issuers.root],
    intermediates: [issuers.authentication.certificate, issuers.signing.certificate],
    at,
    purpose: issued.kind,
  })
  verifyNotRevoked(issued)
}

function chooseRenewed(
  store: CertificateStore,
  shown: Renewable,
  csr: CertificateRequest,
  at: Date,
): Renewable {
  if (isSameRequest(csr, shown.certificate)) return shown
  const { kind, enrolment, certificate } = shown
  const siblings =
    kind !== 'authentication' || enrolment === undefined ? [] : store.ofEnrolment(enrolment)
  const signing = siblings.findLast(
    (issued): issued is Renewable =>
      issued.kind === 'signing' && isRenewable(issued) && isSameRequest(csr, issued.certificate),
  )
  if (signing === undefined) {
    throw mismatch(
      `the request is for ${describe(csr)}, and the certificate shown is for ${describe(certificate)}`,
    )
  }
  verifyNotRevoked(signing)
  verifyNotEnded(signing, at)
  return signing
}

/** What was asleep beyond the end of its certificates is told the one way back. */
function verifyNotEnded({ kind, certificate: { subject, notAfter } }: Renewable, at: Date): void {
  if (at <= notAfter) return
  throw new ExchangeError(
    'certificate.expired',
    `the ${kind} certificate of ${subject} ended at ${notAfter.toISOString()}, and one that ended cannot be renewed: have a new one-time code made, and run spean enroll again`,
  )
}

/** RFC 7030 §4.2.2: subject and subjectAltName must be those of the certificate that is renewed. */
function isSameRequest(csr: CertificateRequest, certificate: Certificate): boolean {
  const names = [...certificate.subjectAltNames].toSorted().join(' ')
  return (
    csr.subject === certificate.subject && [...csr.subjectAltNames].toSorted().join(' ') === names
  )
}

function describe({ subject, subjectAltNames }: Pick<Certificate, 'subject' | 'subjectAltNames'>) {
  return [subject, ...subjectAltNames].join(' ')
}

function mismatch(detail: string): ExchangeError {
  return new ExchangeError('enrolment.identity-mismatch', detail)
}
