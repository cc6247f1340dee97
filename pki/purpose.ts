import type { Certificate } from './certificate.ts'
import type { KeyUsage } from './extensions.ts'
import type { CertificateKind } from './identity.ts'
import { keyFault } from './keys.ts'
import { OID } from './oids.ts'

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
export function purposeFault(
  certificate: Certificate,
  purpose: CertificateKind,
): string | undefined {
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
