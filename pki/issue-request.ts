import type { KeyObject } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import type { ProfileName } from './profiles.ts'
import type { SigningKey } from './signing-key.ts'

/** A certificate of an authority with its key. */
export interface Issuer {
  readonly certificate: Certificate
  readonly key: SigningKey
}

export interface IssueRequest {
  readonly profile: ProfileName
  /** DER of the subject, see subjectOf and encodeName. */
  readonly subject: Buffer
  readonly publicKey: KeyObject
  /** The key alone makes a self-signed certificate. */
  readonly issuer: Issuer | { readonly key: SigningKey }
  /** Start of the life; written earlier by a tenth of it, at most five minutes, for clocks that are behind. */
  readonly at: Date
  /** Shortens or lengthens the life that the profile gives. */
  readonly lifetimeMs?: number
  readonly subjectAltNames?: readonly string[]
  /** Where relying parties ask for the revocation state (RFC 5280 §4.2.2.1). */
  readonly ocspUrl?: string
  /** Where they find the certificate of the issuer. */
  readonly caIssuersUrl?: string
  /** Where they find the issuer's revocation list (RFC 5280 §4.2.1.13). */
  readonly crlUrl?: string
  /** Object identifiers in place of those of the profile (RFC 5280 §4.2.1.4). */
  readonly policies?: readonly string[]
}
