import { isDeepStrictEqual } from 'node:util'
import { encodeAsn } from './asn1.ts'
import { parseToBeSigned, readPublicKey, type ToBeSigned } from './certificate.ts'
import { parseDer } from './der.ts'
import type { IssueRequest } from './issue-request.ts'
import { keyIdentifier } from './key-identifier.ts'
import { exportSpki } from './keys.ts'
import { OID } from './oids.ts'
import { PROFILES, type CertificateProfile, type Location } from './profiles.ts'
import { algorithmIdentifier } from './signature-algorithms.ts'
import { subjectKeyFault } from './subject-key.ts'
import { validityOf } from './to-be-signed.ts'

/**
 * Reads what is about to be signed, with the reader that others' certificates are read with, and compares every
 * field with the profile and the request.
 *
 * @throws TypeError naming each field that deviates.
 */
export function verifyProfile(toBeSigned: Uint8Array, request: IssueRequest): void {
  const profile = PROFILES[request.profile]
  const found = parseToBeSigned(toBeSigned)
  const expected = expectedFields(request, profile)
  const deviations = Object.entries(expected)
    .filter(([field, value]) => !isDeepStrictEqual(found[field as keyof ToBeSigned], value))
    .map(([field]) => field)
  const faults = [
    ...deviations,
    ...[serialFault(found), subjectKeyFault(found.publicKey), requestFault(request, profile)],
  ].filter((fault) => fault !== undefined)
  if (faults.length === 0) return
  throw new TypeError(
    `a certificate of the profile ${request.profile} must not be signed: ${faults.join('; ')}`,
  )
}

function expectedFields(
  request: IssueRequest,
  profile: CertificateProfile,
): Omit<ToBeSigned, 'serial' | 'publicKey' | 'subject' | 'issuer'> {
  const { issuer, subject, subjectAltNames = [], policies = profile.policies } = request
  const { ocspUrl, caIssuersUrl, crlUrl } = request
  const { authority, extendedKeyUsage, keyUsage } = profile
  const above = 'certificate' in issuer ? issuer.certificate : undefined
  return {
    version: 3, // RFC 5280 §4.1.2.1
    algorithmDer: encodeAsn(algorithmIdentifier(issuer.key)),
    issuerDer: above?.subjectDer ?? subject,
    subjectDer: subject,
    ...validityOf(request),
    publicKeyBits: readPublicKey(parseDer(exportSpki(request.publicKey))).publicKeyBits,
    isCa: authority !== undefined,
    pathLength: authority?.pathLength,
    keyUsage: new Set(keyUsage),
    extendedKeyUsage: extendedKeyUsage.length === 0 ? undefined : extendedKeyUsage,
    extendedKeyUsageIsCritical: profile.isExtendedKeyUsageCritical === true,
    subjectAltNames,
    policies,
    ocspUrls: listOf(ocspUrl),
    caIssuersUrls: listOf(caIssuersUrl),
    crlUrls: listOf(crlUrl),
    subjectKeyId: keyIdentifier(request.publicKey),
    authorityKeyId: above && (above.subjectKeyId ?? keyIdentifier(above.publicKey)),
    unknownCritical: [],
    criticality: criticalityOf(request, profile),
  }
}

const listOf = (url: string | undefined): string[] => (url === undefined ? [] : [url])

/** Which extensions must be there, and which of them critical: no other may be. */
function criticalityOf(
  request: IssueRequest,
  profile: CertificateProfile,
): ReadonlyMap<string, boolean> {
  const { extendedKeyUsage, isExtendedKeyUsageCritical, ocspNoCheck } = profile
  const { subjectAltNames = [], policies = profile.policies, ocspUrl, caIssuersUrl } = request
  const presence: readonly [id: string, isThere: boolean, isCritical: boolean][] = [
    [OID.basicConstraints, true, true],
    [OID.keyUsage, true, true],
    [OID.extKeyUsage, extendedKeyUsage.length > 0, isExtendedKeyUsageCritical === true],
    [OID.subjectAltName, subjectAltNames.length > 0, false],
    [OID.certificatePolicies, policies.length > 0, false],
    [OID.subjectKeyIdentifier, true, false],
    [OID.authorityKeyIdentifier, 'certificate' in request.issuer, false],
    [OID.authorityInfoAccess, (ocspUrl ?? caIssuersUrl) !== undefined, false],
    [OID.cRLDistributionPoints, request.crlUrl !== undefined, false],
    [OID.ocspNoCheck, ocspNoCheck === true, false],
  ]
  return new Map(
    presence.filter(([, isThere]) => isThere).map(([id, , isCritical]) => [id, isCritical]),
  )
}

/** RFC 5280 §4.1.2.2: positive, at most 20 octets; of 128 random bits, 64 in a row are never all zero. */
function serialFault({ serial }: ToBeSigned): string | undefined {
  const number = BigInt(`0x${serial}`)
  return number < 1n << 64n || number >= 1n << 128n ? 'serial is not of 128 random bits' : undefined
}

/** What the profile does not let a request ask for. */
function requestFault(request: IssueRequest, profile: CertificateProfile): string | undefined {
  const { subjectAltNames = [], ocspUrl, caIssuersUrl, crlUrl } = request
  const presence = profile.subjectAltNames
  if (presence === 'required' && subjectAltNames.length === 0) return 'subjectAltNames is needed'
  if (presence === 'none' && subjectAltNames.length > 0) return 'subjectAltNames must be left out'
  const given: Record<Location, string | undefined> = {
    ocsp: ocspUrl,
    caIssuers: caIssuersUrl,
    crl: crlUrl,
  }
  const odd = (Object.keys(given) as Location[]).find(
    (location) => given[location] !== undefined && !profile.locations.includes(location),
  )
  return odd && `the address ${odd} must be left out`
}
