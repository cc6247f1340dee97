import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import type { Certificate } from '../certificate.ts'
import type { CertificateKind } from '../identity.ts'
import { issueCertificate } from '../issue.ts'
import type { CertificateStore } from './certificate-store.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import { issuerOf, type IssuerName, type Issuers, type IssuingName } from './issuers.ts'
import type { Journal } from './journal.ts'

export interface LeafRequest {
  readonly profile: CertificateKind | 'time-stamping' | 'ocsp-responder'
  /** DER. */
  readonly subject: Buffer
  readonly publicKey: KeyObject
  readonly subjectAltNames?: readonly string[]
  /** Shortens the life that the configuration gives to the profile. */
  readonly lifetimeMs?: number
  readonly enrolment?: string
  /** Of a responder: whom it answers for. Others have one that is theirs. */
  readonly issuer?: IssuingName
  /** Who asked, for the journal. */
  readonly remoteAddress?: string
}

export interface Issuing {
  /**
   * Issues a certificate. It is recorded, with whatever `alsoRecord` writes, as a whole and before it is
   * returned; when `alsoRecord` throws, nothing of it is.
   */
  readonly issue: (
    request: LeafRequest,
    alsoRecord?: (certificate: Certificate) => void,
  ) => Promise<Certificate>
}

/** Where relying parties find what an authority publishes. */
export interface Addresses {
  readonly ocspUrl: string
  readonly crlUrl: string
  readonly caIssuersUrl: string
}

export const addressesOf = (publicUrl: string, issuer: IssuerName): Addresses => ({
  ocspUrl: `${publicUrl}/ocsp`,
  crlUrl: `${publicUrl}/crl/${issuer}.crl`,
  caIssuersUrl: `${publicUrl}/ca/${issuer}.cer`,
})

export function createIssuing(deps: {
  readonly db: Database
  readonly store: CertificateStore
  readonly journal: Journal
  readonly issuers: Issuers
  readonly publicUrl: () => string
  readonly lifetimes: Readonly<Record<CertificateKind, number>>
  readonly clock: Clock
}): Issuing {
  const { db, store, journal, issuers, publicUrl, lifetimes, clock } = deps
  return {
    issue: async (request, alsoRecord) => {
      const { profile, subject, publicKey, subjectAltNames = [], enrolment } = request
      const issuer =
        request.issuer ?? issuerOf(profile === 'ocsp-responder' ? 'authentication' : profile)
      const at = clock()
      const longest = profile in lifetimes ? lifetimes[profile as CertificateKind] : undefined
      const lifetimeMs = shorter(request.lifetimeMs, longest)
      const certificate = await issueCertificate({
        profile,
        subject,
        publicKey,
        subjectAltNames,
        issuer: issuers[issuer],
        at,
        ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
        ...locationsOf(profile, addressesOf(publicUrl(), issuer)),
      })
      db.transaction(() => {
        const enrolled = enrolment === undefined ? {} : { enrolment }
        store.add({ certificate, issuer, kind: profile, issuedAt: at, ...enrolled })
        journal.append({
          action: 'certificate-issued',
          subject: certificate.serial,
          detail: `${profile} for ${certificate.subject} until ${certificate.notAfter.toISOString()}`,
          ...(request.remoteAddress ? { remoteAddress: request.remoteAddress } : {}),
        })
        alsoRecord?.(certificate)
      })
      return certificate
    },
  }
}

/** RFC 6960 §4.2.2.2.1: nobody asks about a responder, so it does not say where. */
function locationsOf(profile: LeafRequest['profile'], addresses: Addresses): Partial<Addresses> {
  return profile === 'ocsp-responder' ? { caIssuersUrl: addresses.caIssuersUrl } : addresses
}

function shorter(wanted: number | undefined, longest: number | undefined): number | undefined {
  if (wanted === undefined || longest === undefined) return wanted ?? longest
  return Math.min(wanted, longest)
}
