/** Says what bytes are that are not what was asked for: for messages, nothing is verified. */
import { contextTag, DerError, parseDer, TAG, type DerNode } from './der.ts'
import { readOid } from './der-values.ts'
import { OID } from './oids.ts'
import { pemLabels, type PemLabel } from './pem.ts'

export type Recognised =
  | 'a certificate'
  | 'a certificate revocation list'
  | 'a certificate request (PKCS#10)'
  | 'a bundle of certificates (PKCS#7)'
  | 'a key store (PKCS#12)'
  | 'an OCSP answer'
  | 'a private key'
  | 'an encrypted private key'
  | 'a public key'

/** What a PEM label of RFC 7468 names, and those of older tools; undefined for others. */
export function recogniseLabel(label: string): Recognised | undefined {
  if (/^(X509 |TRUSTED )?CERTIFICATE$/.test(label)) return 'a certificate'
  if (label === 'X509 CRL') return 'a certificate revocation list'
  if (/^(NEW )?CERTIFICATE REQUEST$/.test(label)) return 'a certificate request (PKCS#10)'
  if (label === 'PKCS7' || label === 'CMS') return 'a bundle of certificates (PKCS#7)'
  if (label === 'ENCRYPTED PRIVATE KEY') return 'an encrypted private key'
  if (label.endsWith('PRIVATE KEY')) return 'a private key'
  return label.endsWith('PUBLIC KEY') ? 'a public key' : undefined
}

/** Why a text does not hold exactly one block of a label: what it holds instead. */
export function pemFault(label: PemLabel, text: string): string {
  const labels = pemLabels(text)
  const count = labels.filter((found) => found === label).length
  const [other] = labels.flatMap((found) => recogniseLabel(found) ?? [])
  if (count === 0 && other !== undefined) return `the text holds ${other} and no ${label}`
  return `the text holds ${count} blocks of ${label} instead of one`
}

const CONTEXT_0 = contextTag(0, 'constructed')
const CONTEXT_3 = contextTag(3, 'constructed')

/** @returns undefined for DER of no kind that is known here, and for what is no DER. */
export function recogniseDer(der: Uint8Array): Recognised | undefined {
  try {
    const node = parseDer(der)
    return node.tag === TAG.sequence ? recogniseFields(node) : undefined
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

function recogniseFields({ children }: DerNode): Recognised | undefined {
  const [first, second, third] = children
  const tags = children.map(({ tag }) => tag)
  if (isTags(tags, [TAG.sequence, TAG.sequence, TAG.bitString])) return recogniseSigned(first!)
  if (isTags(tags, [TAG.sequence, TAG.bitString])) return 'a public key'
  if (isTags(tags, [TAG.sequence, TAG.octetString])) return 'an encrypted private key'
  if (isTags(tags, [TAG.oid, CONTEXT_0])) {
    return readOid(first!) === OID.signedData ? 'a bundle of certificates (PKCS#7)' : undefined
  }
  if (first?.tag === TAG.enumerated) return 'an OCSP answer'
  if (first?.tag !== TAG.integer) return undefined
  // PKCS#8 (RFC 5958 §2), SEC 1 (RFC 5915 §3), PKCS#1 (RFC 8017 appendix A.1.2), PKCS#12 (RFC 7292 §4)
  if (second?.tag === TAG.sequence && third?.tag === TAG.octetString) return 'a private key'
  if (second?.tag === TAG.octetString) return 'a private key'
  if (tags.length >= 9 && tags.every((tag) => tag === TAG.integer)) return 'a private key'
  if (isTags(tags, [TAG.integer, TAG.integer])) return 'a public key'
  return second?.children[0]?.tag === TAG.oid ? 'a key store (PKCS#12)' : undefined
}

/** Certificate (RFC 5280 §4.1), CertificateList (§5.1) or CertificationRequest (RFC 2986 §4.2). */
function recogniseSigned({ children }: DerNode): Recognised | undefined {
  const tags = children.map(({ tag }) => tag)
  const isTime = (tag: number | undefined) => tag === TAG.utcTime || tag === TAG.generalizedTime
  if (tags[0] === CONTEXT_0 || tags.includes(CONTEXT_3)) return 'a certificate'
  if (isTime(tags[2]) || isTime(tags[3])) return 'a certificate revocation list'
  if (tags[0] === TAG.integer && tags[2] === TAG.sequence && tags.length <= 4) {
    return 'a certificate request (PKCS#10)'
  }
  return undefined
}

function isTags(tags: readonly number[], expected: readonly number[]): boolean {
  return tags.length === expected.length && tags.every((tag, place) => tag === expected[place])
}
