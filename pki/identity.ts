import { DerError, parseDer } from './der.ts'
import { encodeName, readName, type NameAttribute } from './distinguished-name.ts'
import { OID } from './oids.ts'

/** What a certificate is for. `server` is the HTTPS of catalogue and authority. */
export type CertificateKind = 'authentication' | 'signing' | 'information-system' | 'server'

/** Whom a certificate speaks for, as the identifiers of the exchange name it. */
export interface CertificateIdentity {
  readonly instance: string
  readonly memberClass: string
  readonly member: string
  /** Set in authentication certificates. */
  readonly gateway?: string
  /** Set in certificates of an information system that is bound to one subsystem. */
  readonly subsystem?: string
}

/** The written profile (docs/certificate-profiles.md): each part of an identity has one attribute. */
const ATTRIBUTES = {
  instance: OID.organizationName,
  memberClass: OID.organizationalUnitName,
  member: OID.commonName,
  gateway: OID.serialNumber,
  subsystem: OID.userId,
} as const

/** DER of the subject for an identity. */
export function subjectOf(identity: CertificateIdentity): Buffer {
  const attributes: NameAttribute[] = []
  for (const part of Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]) {
    const value = identity[part]
    if (value !== undefined) attributes.push({ type: ATTRIBUTES[part], value })
  }
  return encodeName(attributes)
}

/**
 * Reads the identity in a subject. Attributes outside the profile, such as C, are passed over.
 *
 * @returns undefined when a part that every identity has is missing, or any part is repeated,
 * empty, not a text or holds a slash: then the subject names nobody.
 */
export function readIdentity(subjectDer: Uint8Array): CertificateIdentity | undefined {
  let attributes
  try {
    attributes = readName(parseDer(subjectDer)).flat()
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
  const found: Partial<Record<keyof CertificateIdentity, string>> = {}
  for (const part of Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]) {
    const values = attributes.filter(({ type }) => type === ATTRIBUTES[part])
    if (values.length === 0) continue
    const text = values.length === 1 ? values[0]?.text : undefined
    // A slash would let two identities have one text.
    if (text === undefined || text === '' || text.includes('/')) return undefined
    found[part] = text
  }
  const { instance, memberClass, member, ...rest } = found
  if (instance === undefined || memberClass === undefined || member === undefined) return undefined
  return { instance, memberClass, member, ...rest }
}

/** True when both name the same, part by part. */
export function isSameIdentity(a: CertificateIdentity, b: CertificateIdentity): boolean {
  return (Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[]).every((key) => a[key] === b[key])
}

/** `INSTANCE/CLASS/MEMBER`, with the gateway or subsystem behind it: for messages, not for parsing. */
export function formatIdentity(identity: CertificateIdentity): string {
  return (Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[])
    .flatMap((part) => identity[part] ?? [])
    .join('/')
}
