import { contextTag, DerError, fieldsOf, itemsOf, onlyChild, parseDer, TAG } from './der.ts'
import type { DerNode } from './der.ts'
import {
  readBoolean,
  readNamedBits,
  readOctetString,
  readOid,
  readSmallInteger,
} from './der-values.ts'
import { OID } from './oids.ts'
import { readAltNames } from './subject-alt-name.ts'

/** RFC 5280 §4.2.1.3, in the order of its bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'contentCommitment',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

export type KeyUsage = (typeof KEY_USAGES)[number]

export interface CertificateExtensions {
  readonly isCa: boolean
  /** How many issuing certificates may stand below; undefined means any number. */
  readonly pathLength: number | undefined
  /** Undefined when the extension is absent, which RFC 5280 §4.2.1.3 reads as any use. */
  readonly keyUsage: ReadonlySet<KeyUsage> | undefined
  /** Object identifiers; undefined when the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined
  /** DNS names and IP addresses. */
  readonly subjectAltNames: readonly string[]
  readonly ocspUrls: readonly string[]
  readonly caIssuersUrls: readonly string[]
  readonly crlUrls: readonly string[]
  /** Object identifiers of the policies it was issued by; nothing here asks for one. */
  readonly policies: readonly string[]
  readonly subjectKeyId: Buffer | undefined
  readonly authorityKeyId: Buffer | undefined
  /** Whether {@link extendedKeyUsage} is critical, as RFC 3161 §2.3 asks of time-stamping. */
  readonly extendedKeyUsageIsCritical: boolean
  /** Critical extensions that this program does not process: reason to refuse (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[]
}

const CONSTRUCTED_0 = contextTag(0, 'constructed')

/** Understood in full by the readers below, or without effect on a path that asks for no policy. */
const PROCESSED: readonly string[] = [
  OID.basicConstraints,
  OID.keyUsage,
  OID.extKeyUsage,
  OID.subjectAltName,
  OID.certificatePolicies,
]

export interface Extension {
  readonly id: string
  readonly critical: boolean
  readonly value: Buffer
}

/** Reads `Extensions` (RFC 5280 §4.1). @throws DerError, also when one is repeated (§4.2). */
export function readExtensionList(node: DerNode): Map<string, Extension> {
  return readImplicitExtensions(node, TAG.sequence)
}

/** The same under an implicit tag, as in time-stamps (RFC 3161 §2.4). @throws DerError */
export function readImplicitExtensions(node: DerNode, tag = node.tag): Map<string, Extension> {
  const extensions = new Map<string, Extension>()
  for (const item of itemsOf(node, tag)) {
    const fields = fieldsOf(item)
    const id = readOid(fields.next(TAG.oid))
    const critical = fields.optional(TAG.boolean)
    const value = readOctetString(fields.next())
    fields.end()
    if (extensions.has(id)) throw new DerError(`the extension ${id} is repeated`)
    extensions.set(id, { id, critical: critical !== undefined && readBoolean(critical), value })
  }
  return extensions
}

/** @throws DerError when one of those we process is malformed. */
export function readCertificateExtensions(
  extensions: ReadonlyMap<string, Extension>,
): CertificateExtensions {
  const read = <T>(id: string, reader: (node: DerNode) => T): T | undefined => {
    const extension = extensions.get(id)
    return extension && reader(parseDer(extension.value))
  }
  const constraints = read(OID.basicConstraints, readBasicConstraints)
  const access = read(OID.authorityInfoAccess, readInfoAccess) ?? []
  const urls = (method: string): string[] =>
    access.filter((entry) => entry.method === method).map((entry) => entry.url)
  return {
    isCa: constraints?.isCa ?? false,
    pathLength: constraints?.pathLength,
    keyUsage: read(OID.keyUsage, readKeyUsage),
    extendedKeyUsage: read(OID.extKeyUsage, (node) => itemsOf(node).map(readOid)),
    subjectAltNames: read(OID.subjectAltName, readAltNames) ?? [],
    ocspUrls: urls(OID.adOcsp),
    caIssuersUrls: urls(OID.adCaIssuers),
    crlUrls: read(OID.cRLDistributionPoints, readDistributionPoints) ?? [],
    policies: read(OID.certificatePolicies, readPolicies) ?? [],
    subjectKeyId: read(OID.subjectKeyIdentifier, readOctetString),
    authorityKeyId: read(OID.authorityKeyIdentifier, readAuthorityKeyId),
    extendedKeyUsageIsCritical: extensions.get(OID.extKeyUsage)?.critical ?? false,
    unknownCritical: [...extensions.values()]
      .filter(({ id, critical }) => critical && !PROCESSED.includes(id))
      .map(({ id }) => id),
  }
}

/** RFC 5280 §4.2.1.9 */
function readBasicConstraints(node: DerNode): { isCa: boolean; pathLength: number | undefined } {
  const fields = fieldsOf(node)
  const ca = fields.optional(TAG.boolean)
  const length = fields.optional(TAG.integer)
  fields.end()
  const isCa = ca !== undefined && readBoolean(ca)
  if (length !== undefined && !isCa) throw new DerError('a path length without an authority')
  return { isCa, pathLength: length && readSmallInteger(length) }
}

/** RFC 5280 §4.2.1.3 */
function readKeyUsage(node: DerNode): ReadonlySet<KeyUsage> {
  return new Set(readNamedBits(node).flatMap((bit) => KEY_USAGES[bit] ?? []))
}

/** The keyIdentifier of RFC 5280 §4.2.1.1; issuer and serial number in it are passed over. */
export function readAuthorityKeyId(node: DerNode): Buffer | undefined {
  return itemsOf(node).find(({ tag }) => tag === contextTag(0, 'primitive'))?.content
}

/** The URLs of RFC 5280 §4.2.2.1; locations of other kinds are passed over. */
function readInfoAccess(node: DerNode): { method: string; url: string }[] {
  return itemsOf(node).flatMap((description) => {
    const fields = fieldsOf(description)
    const method = readOid(fields.next(TAG.oid))
    const location = fields.next()
    fields.end()
    if (location.tag !== contextTag(6, 'primitive')) return []
    return { method, url: location.content.toString('latin1') }
  })
}

/** The URLs of RFC 5280 §4.2.1.13; names of other kinds are passed over. */
function readDistributionPoints(node: DerNode): string[] {
  return itemsOf(node).flatMap((point) =>
    itemsOf(point)
      .filter(({ tag }) => tag === CONSTRUCTED_0) // distributionPoint
      .flatMap(({ children }) => children.filter(({ tag }) => tag === CONSTRUCTED_0)) // fullName
      .flatMap(({ children }) => children.filter(({ tag }) => tag === contextTag(6, 'primitive')))
      .map(({ content }) => content.toString('latin1')),
  )
}

/** RFC 5280 §4.2.1.4; qualifiers are passed over. */
function readPolicies(node: DerNode): string[] {
  return itemsOf(node).map((policy) => {
    const fields = fieldsOf(policy)
    const id = readOid(fields.next(TAG.oid))
    fields.optional(TAG.sequence)
    fields.end()
    return id
  })
}

/** The list inside an explicit tag, as in certificates and OCSP messages. @throws DerError */
export function readTaggedExtensions(tagged: DerNode | undefined): Map<string, Extension> {
  return tagged === undefined ? new Map() : readExtensionList(onlyChild(tagged))
}
