import type { Certificate } from './certificate.ts'
import type { KeyUsage } from './extensions.ts'
import type { CertificateKind } from './identity.ts'
import { keyFault } from './keys.ts'
import { OID } from './oids.ts'

/** What a certificate may be shown for. */
export type Purpose = CertificateKind | 'time-stamping'

interface PurposeRule {
  readonly keyUsage: KeyUsage
  /** All of them must stand in the certificate. */
  readonly extendedKeyUsage: readonly string[]
}

const RULES: Readonly<Record<CertificateKind, PurposeRule>> = {
  authentication: {
    keyUsage: 'digitalSignature',
    extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
  },
  signing: { keyUsage: 'contentCommitment', extendedKeyUsage: [] },
  'information-system': { keyUsage: 'digitalSignature', extendedKeyUsage: [OID.clientAuth] },
  server: { keyUsage: 'digitalSignature', extendedKeyUsage: [OID.serverAuth] },
}

/** A key that answers for TLS must not sign messages: who holds a session could forge a seal. */
const NOT_FOR_SIGNING: readonly string[] = [OID.serverAuth, OID.clientAuth]

/**
 * What keeps a certificate from serving a purpose, undefined when nothing does (RFC 5280 §4.2.1.3,
 * §4.2.1.12). A certificate without key usage or extended key usage names no purpose and serves
 * none of ours that asks for one.
 */
export function purposeFault(certificate: Certificate, purpose: Purpose): string | undefined {
  if (purpose === 'time-stamping') return timeStampingFault(certificate)
  const { isCa, keyUsage, extendedKeyUsage = [], publicKey } = certificate
  const rule = RULES[purpose]
  if (isCa) return 'it is the certificate of an authority'
  if (keyUsage?.has(rule.keyUsage) !== true) return `its key usage has no ${rule.keyUsage}`
  const missing = rule.extendedKeyUsage.find((id) => !extendedKeyUsage.includes(id))
  if (missing !== undefined) {
    return `its extended key usage has no ${missing}, which ${purpose} asks for`
  }
  if (purpose === 'signing' && extendedKeyUsage.some((id) => NOT_FOR_SIGNING.includes(id))) {
    return 'it is for TLS and may not sign messages'
  }
  return keyFault(publicKey)
}

const OF_TIME_STAMPING: readonly KeyUsage[] = ['digitalSignature', 'contentCommitment']

/** RFC 3161 §2.3: a key reserved for time-stamping, which its certificate says in a critical extension. */
function timeStampingFault(certificate: Certificate): string | undefined {
  const { isCa, keyUsage, extendedKeyUsage = [], publicKey } = certificate
  if (isCa) return 'it is the certificate of an authority'
  if (!extendedKeyUsage.includes(OID.timeStamping)) {
    return `its extended key usage has no ${OID.timeStamping}, which time-stamping asks for`
  }
  if (extendedKeyUsage.length > 1 || !certificate.extendedKeyUsageIsCritical) {
    return 'its extended key usage is not time-stamping alone, or not critical'
  }
  // RFC 5280 §4.2.1.12: usages consistent with time-stamping
  if (keyUsage && ![...keyUsage].every((usage) => OF_TIME_STAMPING.includes(usage))) {
    return 'its key usage allows more than time-stamping'
  }
  return keyFault(publicKey)
}
