import { createHash, randomBytes, type KeyObject } from 'node:crypto'
import { parseCertificate, readPublicKey, type Certificate } from './certificate.ts'
import { parseDer } from './der.ts'
import {
  bitString,
  boolean,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  sequence,
  tagged,
  taggedPrimitive,
  time,
} from './der-writer.ts'
import { KEY_USAGES } from './extensions.ts'
import { exportSpki } from './keys.ts'
import { OID } from './oids.ts'
import { PROFILES, type CertificateProfile, type ProfileName } from './profiles.ts'
import { algorithmFor, signBytes } from './signature-algorithms.ts'
import type { SigningKey } from './signing-key.ts'
import { encodeAltNames } from './subject-alt-name.ts'

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
}

const MAX_BACKDATE_MS = 5 * 60_000
const SERIAL_BYTES = 16

/** Builds and signs a certificate (RFC 5280 §4.1) of one of our profiles. */
export async function issueCertificate(request: IssueRequest): Promise<Certificate> {
  const { at, issuer } = request
  const profile = PROFILES[request.profile]
  const issuerCertificate = 'certificate' in issuer ? issuer.certificate : undefined
  const lifetimeMs = request.lifetimeMs ?? profile.lifetimeMs
  const end = at.getTime() + lifetimeMs
  const begin = at.getTime() - Math.min(MAX_BACKDATE_MS, lifetimeMs / 10)
  const notAfter = new Date(Math.min(end, issuerCertificate?.notAfter.getTime() ?? end))
  const algorithm = algorithmFor(issuer.key)
  const toBeSigned = sequence(
    tagged(0, integer(2)), // version 3
    integer(randomBytes(SERIAL_BYTES)), // unsigned, so positive: RFC 5280 §4.1.2.2
    algorithm,
    issuerCertificate?.subjectDer ?? request.subject,
    sequence(time(new Date(begin)), time(notAfter)),
    request.subject,
    exportSpki(request.publicKey),
    tagged(3, sequence(...extensionsOf(request, profile, issuerCertificate))),
  )
  const signature = bitString(await signBytes(toBeSigned, issuer.key))
  return parseCertificate(sequence(toBeSigned, algorithm, signature))
}

function extensionsOf(
  request: IssueRequest,
  profile: CertificateProfile,
  issuer: Certificate | undefined,
): Buffer[] {
  const { extendedKeyUsage, keyUsage, authority, ocspNoCheck } = profile
  const { ocspUrl, caIssuersUrl, subjectAltNames = [] } = request
  const keyId = keyIdentifier(request.publicKey)
  const issuerKeyId = issuer && (issuer.subjectKeyId ?? keyIdentifier(issuer.publicKey))
  const access = [
    ...(ocspUrl === undefined ? [] : [accessDescription(OID.adOcsp, ocspUrl)]),
    ...(caIssuersUrl === undefined ? [] : [accessDescription(OID.adCaIssuers, caIssuersUrl)]),
  ]
  return [
    authority
      ? extension(OID.basicConstraints, basicConstraints(authority.pathLength), 'critical')
      : extension(OID.basicConstraints, sequence(), 'critical'),
    extension(
      OID.keyUsage,
      namedBits(keyUsage.map((usage) => KEY_USAGES.indexOf(usage))),
      'critical',
    ),
    ...(extendedKeyUsage.length === 0
      ? []
      : [extension(OID.extKeyUsage, sequence(...extendedKeyUsage.map(oid)))]),
    ...(subjectAltNames.length === 0
      ? []
      : [extension(OID.subjectAltName, encodeAltNames(subjectAltNames))]),
    extension(OID.subjectKeyIdentifier, octetString(keyId)),
    // RFC 5280 §4.2.1.1: may be left out when the certificate is self-signed
    ...(issuerKeyId === undefined
      ? []
      : [extension(OID.authorityKeyIdentifier, sequence(taggedPrimitive(0, issuerKeyId)))]),
    ...(access.length === 0 ? [] : [extension(OID.authorityInfoAccess, sequence(...access))]),
    ...(ocspNoCheck ? [extension(OID.ocspNoCheck, nullValue())] : []),
  ]
}

/** DER of one Extension (RFC 5280 §4.1); `critical` has a default and is left out when false. */
export function extension(id: string, value: Buffer, critical?: 'critical'): Buffer {
  const flag = critical ? [boolean(true)] : []
  return sequence(oid(id), ...flag, octetString(value))
}

function basicConstraints(pathLength: number): Buffer {
  return sequence(boolean(true), integer(pathLength))
}

function accessDescription(method: string, url: string): Buffer {
  return sequence(oid(method), taggedPrimitive(6, Buffer.from(url, 'latin1')))
}

/** RFC 5280 §4.2.1.2 (1): SHA-1 over the key bits, an identifier and no protection of anything. */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const { publicKeyBits } = readPublicKey(parseDer(exportSpki(publicKey)))
  return createHash('sha1').update(publicKeyBits).digest()
}
