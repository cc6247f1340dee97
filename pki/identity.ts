import type { SubjectProfile } from '../protocol/snapshot.ts'
import { encodeName } from './distinguished-name.ts'
import { OID } from './oids.ts'
import {
  attributesOf,
  IDENTITY_PARTS,
  readIdentityBy,
  type CertificateIdentity,
} from './subject-profile.ts'

export type { CertificateIdentity } from './subject-profile.ts'

/** What a certificate is for. `server` is the HTTPS of catalogue and authority. */
export type CertificateKind = 'authentication' | 'signing' | 'information-system' | 'server'

/** Our own authority's (docs/certificate-profiles.md): each part of an identity has one attribute. */
export const OWN_PROFILE: SubjectProfile = {
  instance: { attribute: OID.organizationName },
  memberClass: { attribute: OID.organizationalUnitName },
  member: { attribute: OID.commonName },
  gateway: { attribute: OID.serialNumber },
  subsystem: { attribute: OID.userId },
}

/** DER of the subject that our own authority writes for an identity. */
export function subjectOf(identity: CertificateIdentity): Buffer {
  return encodeName(attributesOf(identity, OWN_PROFILE))
}

/**
 * Reads the identity in a subject of our own authority. Attributes outside the profile, such as C, are
 * passed over.
 *
 * @returns undefined when a part that every identity has is missing, or any part is repeated,
 * empty, not a text or holds a slash: then the subject names nobody.
 */
export function readIdentity(subjectDer: Uint8Array): CertificateIdentity | undefined {
  return readIdentityBy(subjectDer, OWN_PROFILE)
}

/** True when both name the same, part by part. */
export function isSameIdentity(a: CertificateIdentity, b: CertificateIdentity): boolean {
  return IDENTITY_PARTS.every((key) => a[key] === b[key])
}

/** `INSTANCE/CLASS/MEMBER`, with the gateway or subsystem behind it: for messages, not for parsing. */
export function formatIdentity(identity: CertificateIdentity): string {
  return IDENTITY_PARTS.flatMap((part) => identity[part] ?? []).join('/')
}
