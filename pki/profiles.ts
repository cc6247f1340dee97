import type { KeyUsage } from './extensions.ts'
import type { CertificateKind } from './identity.ts'
import { OID } from './oids.ts'

/** Everything the authority issues; docs/certificate-profiles.md explains the table. */
export type ProfileName =
  'root-authority' | 'issuing-authority' | 'ocsp-responder' | 'time-stamping' | CertificateKind

/** Addresses in a certificate: where to ask for its state, for its issuer, for the revocation list. */
export type Location = 'ocsp' | 'caIssuers' | 'crl'

/** What a certificate of one kind holds. What is the same in all of them stands in pki/to-be-signed.ts. */
export interface CertificateProfile {
  /** RFC 5280 §4.1.2.4: whose name and key sign; `each` for what both issuing authorities issue for themselves. */
  readonly issuedBy: 'root' | 'authentication' | 'signing' | 'each'
  /** RFC 5280 §4.1.2.5: longest life; cut to the end of the issuer's. */
  readonly lifetimeMs: number
  /** RFC 5280 §4.2.1.3, critical; for members' seals as ETSI EN 319 412-2 §4.3.2. */
  readonly keyUsage: readonly KeyUsage[]
  /** RFC 5280 §4.2.1.12; left out when empty. */
  readonly extendedKeyUsage: readonly string[]
  /** RFC 3161 §2.3 asks for it; elsewhere it would keep out readers that do not know a purpose. */
  readonly isExtendedKeyUsageCritical?: true
  /** RFC 5280 §4.2.1.9, critical; `pathLength` is how many authorities may stand below. */
  readonly authority?: { readonly pathLength: number }
  /** RFC 5280 §4.2.1.6: whether DNS names and IP addresses stand in it, and must. */
  readonly subjectAltNames: 'required' | 'optional' | 'none'
  /** RFC 5280 §4.2.1.4, ETSI EN 319 412-2 §4.3.3: left out when empty. */
  readonly policies: readonly string[]
  /** RFC 5280 §4.2.2.1 and §4.2.1.13: which addresses may stand in it. */
  readonly locations: readonly Location[]
  /** RFC 6960 §4.2.2.2.1: nobody asks for the revocation state of the responder itself. */
  readonly ocspNoCheck?: true
}

/**
 * Policies of a certificate that was issued by the rules in docs/certificate-profiles.md. The arc is that of a
 * UUID (ITU-T X.667 §8), so nobody had to be asked for it: 2d658af2-1661-4df0-bfb4-17999f1a4e69.
 */
const POLICY_ARC = '2.25.60342499945700168337464761300664602217'

export const POLICIES = {
  authentication: `${POLICY_ARC}.1.1`,
  signing: `${POLICY_ARC}.1.2`,
  'information-system': `${POLICY_ARC}.1.3`,
  server: `${POLICY_ARC}.1.4`,
  'time-stamping': `${POLICY_ARC}.1.5`,
} as const

const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS
const EVERYWHERE: readonly Location[] = ['ocsp', 'caIssuers', 'crl']

type IssuedByIssuing = { readonly issuedBy: 'authentication' | 'signing' }

export const PROFILES: Readonly<Record<ProfileName, CertificateProfile>> &
  Readonly<Record<CertificateKind | 'time-stamping', IssuedByIssuing>> = {
  'root-authority': {
    issuedBy: 'root',
    lifetimeMs: 20 * YEAR_MS,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    authority: { pathLength: 1 },
    subjectAltNames: 'none',
    policies: [],
    locations: [],
  },
  'issuing-authority': {
    issuedBy: 'root',
    lifetimeMs: 10 * YEAR_MS,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: [],
    authority: { pathLength: 0 },
    subjectAltNames: 'none',
    policies: [OID.anyPolicy], // without one, no policy below it would count: RFC 5280 §6.1.3 e
    locations: EVERYWHERE,
  },
  'ocsp-responder': {
    issuedBy: 'each', // RFC 6960 §4.2.2.2: by the authority it answers for
    lifetimeMs: 30 * DAY_MS,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.ocspSigning],
    subjectAltNames: 'none',
    policies: [],
    locations: ['caIssuers'],
    ocspNoCheck: true,
  },
  'time-stamping': {
    issuedBy: 'signing',
    lifetimeMs: 5 * YEAR_MS,
    keyUsage: ['digitalSignature'], // no contentCommitment: it must not pass for a member's seal
    extendedKeyUsage: [OID.timeStamping], // and no other: RFC 3161 §2.3
    isExtendedKeyUsageCritical: true,
    subjectAltNames: 'none',
    policies: [POLICIES['time-stamping']],
    locations: EVERYWHERE,
  },
  authentication: {
    issuedBy: 'authentication',
    lifetimeMs: 2 * YEAR_MS,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
    subjectAltNames: 'optional',
    policies: [POLICIES.authentication],
    locations: EVERYWHERE,
  },
  signing: {
    issuedBy: 'signing',
    lifetimeMs: 2 * YEAR_MS,
    keyUsage: ['digitalSignature', 'contentCommitment'],
    extendedKeyUsage: [],
    subjectAltNames: 'none',
    policies: [POLICIES.signing],
    locations: EVERYWHERE,
  },
  'information-system': {
    issuedBy: 'authentication',
    lifetimeMs: 2 * YEAR_MS,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.clientAuth],
    subjectAltNames: 'optional',
    policies: [POLICIES['information-system']],
    locations: EVERYWHERE,
  },
  server: {
    issuedBy: 'authentication',
    lifetimeMs: 2 * YEAR_MS,
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [OID.serverAuth],
    subjectAltNames: 'required',
    policies: [POLICIES.server],
    locations: EVERYWHERE,
  },
}
