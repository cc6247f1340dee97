import {
  CRLReason,
  Name,
  RevokedCertificate,
  TBSCertList,
  Time,
  type Extension as LibraryExtension,
} from '@peculiar/asn1-x509'
import { ExchangeError } from '../protocol/errors.ts'
import {
  decodeAsn,
  encodeAsn,
  encodeInteger,
  extension,
  unsignedInteger,
  wholeSeconds,
} from './asn1.ts'
import { CertificateError, formatSerial, serialBytes, type Certificate } from './certificate.ts'
import { contextTag, DerError, fieldsOf, itemsOf, parseDer, TAG, type DerNode } from './der.ts'
import { readIntegerBytes, readSmallInteger, readTime } from './der-values.ts'
import { formatName } from './distinguished-name.ts'
import {
  readAuthorityKeyId,
  readExtensionList,
  readTaggedExtensions,
  type Extension,
} from './extensions.ts'
import type { Issuer } from './issue-request.ts'
import { OID } from './oids.ts'
import { readPem } from './pem.ts'
import { pemFault, recogniseDer } from './recognise.ts'
import { REVOCATION_REASONS, reasonOf, type RevocationReason } from './revocation-reason.ts'
import {
  algorithmIdentifier,
  readSigned,
  signatureFault,
  type SignedBytes,
} from './signature-algorithms.ts'
import { signAsn } from './signed-structure.ts'
import { authorityKeyId } from './to-be-signed.ts'

export interface RevokedEntry {
  readonly revokedAt: Date
  readonly reason: RevocationReason
}

export interface CrlEntry extends RevokedEntry {
  /** Lower-case hex without leading zeros, as `serial` of a certificate. */
  readonly serial: string
}

const VERSION_2 = 1 // RFC 5280 §5.1.2.1

/**
 * Writes and signs a complete revocation list (RFC 5280 §5): everything that `issuer` issued and revoked.
 *
 * @param list.number greater than that of every list before (§5.2.3).
 * @returns DER; its PEM label is `X509 CRL`.
 * @throws KeyError
 */
export async function createCrl(list: {
  readonly issuer: Issuer
  readonly entries: readonly CrlEntry[]
  readonly number: number | bigint
  readonly thisUpdate: Date
  readonly nextUpdate: Date
}): Promise<Buffer> {
  const { certificate, key } = list.issuer
  const toBeSigned = new TBSCertList({
    version: VERSION_2,
    signature: algorithmIdentifier(key),
    issuer: decodeAsn(certificate.subjectDer, Name),
    thisUpdate: new Time(wholeSeconds(list.thisUpdate)),
    nextUpdate: new Time(wholeSeconds(list.nextUpdate)),
    // §5.1.2.6: the list must be absent when it is empty
    ...(list.entries.length === 0 ? {} : { revokedCertificates: list.entries.map(revoked) }),
    crlExtensions: [
      authorityKeyId(certificate), // §5.2.1
      extension(OID.cRLNumber, encodeInteger(list.number)), // §5.2.3
    ],
  })
  return await signAsn(encodeAsn(toBeSigned), key)
}

function revoked({ serial, revokedAt, reason }: CrlEntry): RevokedCertificate {
  // §5.3.1: only a delta list takes a certificate off again
  if (reason === 'removeFromCRL') throw new TypeError('a complete list removes nothing')
  return new RevokedCertificate({
    userCertificate: unsignedInteger(serialBytes(serial)),
    revocationDate: new Time(wholeSeconds(revokedAt)),
    // §5.3.1: rather absent than unspecified
    ...(reason === 'unspecified' ? {} : { crlEntryExtensions: [reasonCode(reason)] }),
  })
}

function reasonCode(reason: RevocationReason): LibraryExtension {
  return extension(OID.reasonCode, new CRLReason(REVOCATION_REASONS[reason]))
}

/** A certificate revocation list (RFC 5280 §5.1), read once; nothing in it is verified yet. */
export interface CertificateList extends SignedBytes {
  readonly der: Buffer
  /** Text of RFC 4514. */
  readonly issuer: string
  readonly issuerDer: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Undefined when the extension is absent. */
  readonly number: bigint | undefined
  readonly authorityKeyId: Buffer | undefined
  /** By serial number, as `serial` of a certificate has it. */
  readonly entries: ReadonlyMap<string, RevokedEntry>
  /** Critical extensions, of the list or of an entry, that are not understood: reason to refuse it (§5.2, §5.3). */
  readonly unknownCritical: readonly string[]
}

/** Some hundred thousand entries. */
const LIMITS = { maxBytes: 16 * 1024 * 1024, maxNodes: 2_000_000 }
/** How far the clocks of issuer and reader may differ, as for OCSP answers. */
const TOLERANCE_MS = 5 * 60_000
const EXPLICIT_EXTENSIONS = contextTag(0, 'constructed')

/**
 * Reads a revocation list from PEM or DER.
 *
 * @throws CertificateError `encoding.*` for bytes that are not the DER of a list, `certificate.malformed` when
 * they are another structure.
 */
export function parseCrl(input: string | Uint8Array): CertificateList {
  const der = typeof input === 'string' ? fromPem(input) : Buffer.from(input)
  try {
    return readCrl(der)
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    const what = recogniseDer(der)
    const isOther = what !== undefined && what !== 'a certificate revocation list'
    const reason = isOther ? `it is ${what}` : cause.message
    const code = isOther ? 'certificate.malformed' : cause.code
    throw new CertificateError(`this is not a revocation list: ${reason}`, { code, cause })
  }
}

function fromPem(text: string): Buffer {
  const blocks = readPem('X509 CRL', text)
  if (blocks.length !== 1) throw new CertificateError(pemFault('X509 CRL', text))
  return blocks[0]!
}

function readCrl(der: Buffer): CertificateList {
  const { toBeSigned, ...signedBytes } = readSigned(parseDer(der, LIMITS))
  const fields = fieldsOf(toBeSigned)
  const version = fields.optional(TAG.integer)
  if (version !== undefined && readSmallInteger(version) !== 1) {
    throw new DerError('the version is not 2') // RFC 5280 §5.1.2.1
  }
  // §5.1.1.2: the algorithm inside the signature must be the one outside of it
  if (!fields.next(TAG.sequence).encoded.equals(signedBytes.algorithm.encoded)) {
    throw new DerError('the two signature algorithms differ')
  }
  const issuer = fields.next(TAG.sequence)
  const thisUpdate = readTime(fields.next())
  const nextUpdate = readTime(fields.next()) // §5.1.2.5: must be there
  const revoked = fields.optional(TAG.sequence)
  const extensions = readTaggedExtensions(fields.optional(EXPLICIT_EXTENSIONS))
  fields.end()
  const unknownCritical = new Set(criticalOf(extensions))
  const read = <T>(id: string, reader: (node: DerNode) => T): T | undefined => {
    const found = extensions.get(id)
    return found && reader(parseDer(found.value))
  }
  return {
    ...signedBytes,
    der,
    issuer: formatName(issuer),
    issuerDer: issuer.encoded,
    thisUpdate,
    nextUpdate,
    number: read(OID.cRLNumber, readCrlNumber),
    authorityKeyId: read(OID.authorityKeyIdentifier, readAuthorityKeyId),
    entries: readEntries(revoked, unknownCritical),
    unknownCritical: [...unknownCritical],
  }
}

/** An issuing distribution point is among them: lists of a part only are not understood here. */
function criticalOf(extensions: ReadonlyMap<string, Extension>): string[] {
  return [...extensions.values()].filter(({ critical }) => critical).map(({ id }) => id)
}

/** §5.2.3: at most 20 octets, not negative */
function readCrlNumber(node: DerNode): bigint {
  const bytes = readIntegerBytes(node)
  if (bytes.length > 20 || bytes[0]! >= 0x80) throw new DerError('a CRL number is out of range')
  return BigInt(`0x${bytes.toString('hex')}`)
}

function readEntries(
  revoked: DerNode | undefined,
  unknownCritical: Set<string>,
): ReadonlyMap<string, RevokedEntry> {
  const entries = new Map<string, RevokedEntry>()
  if (revoked === undefined) return entries
  const items = itemsOf(revoked)
  if (items.length === 0) throw new DerError('the list of revoked certificates is empty') // §5.1.2.6
  for (const item of items) {
    const fields = fieldsOf(item)
    const serial = formatSerial(readIntegerBytes(fields.next()))
    const revokedAt = readTime(fields.next())
    const list = fields.optional(TAG.sequence)
    fields.end()
    if (entries.has(serial)) throw new DerError(`the serial number ${serial} is repeated`)
    const extensions = list === undefined ? new Map<string, Extension>() : readExtensionList(list)
    for (const id of criticalOf(extensions)) unknownCritical.add(id)
    entries.set(serial, { revokedAt, reason: readReason(extensions.get(OID.reasonCode)) })
  }
  return entries
}

function readReason(extension: Extension | undefined): RevocationReason {
  if (extension === undefined) return 'unspecified'
  return reasonOf(readSmallInteger(parseDer(extension.value), TAG.enumerated))
}

/**
 * Checks that a list is the issuer's own and in force (RFC 5280 §6.3.3).
 *
 * @throws ExchangeError `certificate.status-stale` after its nextUpdate, `certificate.status-unknown` for
 * everything else.
 */
export function verifyCrl(list: CertificateList, issuer: Certificate, at: Date): void {
  const reason = issuerFault(list, issuer)
  if (reason !== undefined) throw refusal('certificate.status-unknown', issuer, reason)
  const now = at.getTime()
  const time = at.toISOString()
  if (list.thisUpdate.getTime() > now + TOLERANCE_MS) {
    const from = list.thisUpdate.toISOString()
    throw refusal(
      'certificate.status-unknown',
      issuer,
      `it holds from ${from} on, and it is ${time}`,
    )
  }
  if (list.nextUpdate.getTime() < now - TOLERANCE_MS || list.nextUpdate < list.thisUpdate) {
    const until = list.nextUpdate.toISOString()
    throw refusal('certificate.status-stale', issuer, `it held until ${until}, and it is ${time}`)
  }
}

function issuerFault(list: CertificateList, issuer: Certificate): string | undefined {
  if (!list.issuerDer.equals(issuer.subjectDer)) return `it is the list of ${list.issuer}`
  const { authorityKeyId } = list
  if (authorityKeyId && issuer.subjectKeyId && !authorityKeyId.equals(issuer.subjectKeyId)) {
    return 'it is the list of another key of this name'
  }
  // §6.3.3 f
  if (!issuer.isCa || issuer.keyUsage?.has('cRLSign') === false) {
    return 'its issuer may not sign revocation lists'
  }
  const [critical] = list.unknownCritical
  if (critical !== undefined) return `its critical extension ${critical} is not understood here`
  return signatureFault(list, issuer.publicKey) // §6.3.3 g
}

function refusal(
  code: 'certificate.status-unknown' | 'certificate.status-stale',
  issuer: Certificate,
  reason: string,
): ExchangeError {
  return new ExchangeError(code, `the revocation list of ${issuer.subject} is refused: ${reason}`)
}
