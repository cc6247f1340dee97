import type { KeyUsage } from './extensions.ts'
import type { CertificateKind } from './identity.ts'
import { OID } from './oids.ts'

/** Everything the authority issues; docs/certificate-profiles.md explains the table. */
export type ProfileName =
  'root-authority' | 'issuing-authority' | 'ocsp-responder' | CertificateKind

export interface CertificateProfile {
  /** RFC 5280 §4.2.1.3, critical. */
  readonly keyUsage: readonly KeyUsage[]
  /** RFC 5280 §4.2.1.12, not critical; left out when empty. */
  readonly extendedKeyUsage: readonly string[]
  /** RFC 5280 §4.2.1.9, critical; `pathLength` is how many authorities may stand below. */
  readonly authority?: { readonly pathLength: number }
  /** RFC 5280 §4.1.2.5: longest life; cut to the end of the issuer's. */
  readonly lifetimeMs: number
  /** RFC 5280 §4.2.1.6: whether DNS names and IP addresses stand in it, and must. */
  readonly subjectAltNames: 'required' | 'optional' | 'none'
  /** RFC 6960 §4.2.2.2.1: nobody asks for the revocation state of the responder itself. */
  readonly ocspNoCheck?: true
}

const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS

export const PROFILES: Readonly<Record<ProfileName, CertificateProfile>> = {
  'root-authority': {
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    authority: { pathLength: 1 },
    lifetimeMs: 20 * YEAR_MS,
    subjectAltNames: 'none',
  },
  'issuing-authority': {
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    authority: { pathLength: 0 },
    lifetimeMs: 10 * YEAR_MS,
    subjectAltNames: 'none',
  },
  'ocsp-responder': {
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.ocspSigning],
    lifetimeMs: 30 * DAY_MS,
    subjectAltNames: 'none',
    ocspNoCheck: true,
  },
  authentication: {
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
    lifetimeMs: 2 * YEAR_MS,
    subjectAltNames: 'optional',
  },
  signing: {
    keyUsage: ['digitalSignature', 'contentCommitment'],
    extendedKeyUsage: [],
    lifetimeMs: 2 * YEAR_MS,
    subjectAltNames: 'none',
  },
  'information-system': {
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.clientAuth],
    lifetimeMs: 2 * YEAR_MS,
    subjectAltNames: 'optional',
  },
  server: {
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.serverAuth],
    lifetimeMs: 2 * YEAR_MS,
    subjectAltNames: 'required',
  },
}
