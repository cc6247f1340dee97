import { randomBytes } from 'node:crypto'
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  AuthorityKeyIdentifier,
  BasicConstraints,
  CertificatePolicies,
  CRLDistributionPoints,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  Name,
  PolicyInformation,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
  type Extension,
} from '@peculiar/asn1-x509'
import {
  decodeAsn,
  encodeAsn,
  encodeNull,
  encodeOctetString,
  extension,
  toArrayBuffer,
  unsignedInteger,
  wholeSeconds,
} from './asn1.ts'
import type { Certificate } from './certificate.ts'
import { KEY_USAGES } from './extensions.ts'
import type { IssueRequest } from './issue-request.ts'
import { keyIdentifier } from './key-identifier.ts'
import { exportSpki } from './keys.ts'
import { OID } from './oids.ts'
import { PROFILES } from './profiles.ts'
import { algorithmIdentifier } from './signature-algorithms.ts'
import { encodeAltNames } from './subject-alt-name.ts'

const MAX_BACKDATE_MS = 5 * 60_000
const SERIAL_BYTES = 16

/** Builds the TBSCertificate (RFC 5280 §4.1) that a request asks for, as DER. */
export function buildToBeSigned(request: IssueRequest): Buffer {
  const { issuer, subject, publicKey } = request
  const issuerName = 'certificate' in issuer ? issuer.certificate.subjectDer : subject
  const { notBefore, notAfter } = validityOf(request)
  return encodeAsn(
    new TBSCertificate({
      version: Version.v3,
      // Unsigned, so positive: RFC 5280 §4.1.2.2
      serialNumber: unsignedInteger(randomBytes(SERIAL_BYTES)),
      signature: algorithmIdentifier(issuer.key),
      issuer: decodeAsn(issuerName, Name),
      validity: new Validity({ notBefore, notAfter }),
      subject: decodeAsn(subject, Name),
      subjectPublicKeyInfo: decodeAsn(exportSpki(publicKey), SubjectPublicKeyInfo),
      extensions: new Extensions(extensionsOf(request)),
    }),
  )
}

/** When a certificate that is asked for begins and ends (RFC 5280 §4.1.2.5), in whole seconds. */
export function validityOf(request: IssueRequest): { notBefore: Date; notAfter: Date } {
  const { at, issuer } = request
  const lifetimeMs = request.lifetimeMs ?? PROFILES[request.profile].lifetimeMs
  const end = at.getTime() + lifetimeMs
  const begin = at.getTime() - Math.min(MAX_BACKDATE_MS, lifetimeMs / 10)
  const issuerEnd = 'certificate' in issuer ? issuer.certificate.notAfter.getTime() : end
  return {
    notBefore: wholeSeconds(new Date(begin)),
    notAfter: wholeSeconds(new Date(Math.min(end, issuerEnd))),
  }
}

function extensionsOf(request: IssueRequest): Extension[] {
  const profile = PROFILES[request.profile]
  const { extendedKeyUsage, isExtendedKeyUsageCritical, authority, ocspNoCheck } = profile
  const { subjectAltNames = [], policies = profile.policies, issuer } = request
  const issuerCertificate = 'certificate' in issuer ? issuer.certificate : undefined
  return [
    extension(OID.basicConstraints, basicConstraints(authority?.pathLength), 'critical'),
    extension(OID.keyUsage, keyUsage(profile.keyUsage), 'critical'),
    ...(extendedKeyUsage.length === 0
      ? []
      : [
          extension(
            OID.extKeyUsage,
            new ExtendedKeyUsage([...extendedKeyUsage]),
            isExtendedKeyUsageCritical && 'critical',
          ),
        ]),
    ...(subjectAltNames.length === 0
      ? []
      : [extension(OID.subjectAltName, encodeAltNames(subjectAltNames))]),
    ...(policies.length === 0 ? [] : [certificatePolicies(policies)]),
    extension(OID.subjectKeyIdentifier, encodeOctetString(keyIdentifier(request.publicKey))),
    // RFC 5280 §4.2.1.1: may be left out when the certificate is self-signed
    ...(issuerCertificate === undefined ? [] : [authorityKeyId(issuerCertificate)]),
    ...locations(request),
    ...(ocspNoCheck ? [extension(OID.ocspNoCheck, encodeNull())] : []),
  ]
}

/** RFC 5280 §4.2.1.9; cA has a default and is left out when false. */
function basicConstraints(pathLength: number | undefined): BasicConstraints {
  return pathLength === undefined
    ? new BasicConstraints()
    : new BasicConstraints({ cA: true, pathLenConstraint: pathLength })
}

function keyUsage(usages: readonly (typeof KEY_USAGES)[number][]): KeyUsage {
  return new KeyUsage(usages.reduce((bits, usage) => bits | (1 << KEY_USAGES.indexOf(usage)), 0))
}

function certificatePolicies(ids: readonly string[]): Extension {
  const policies = ids.map((policyIdentifier) => new PolicyInformation({ policyIdentifier }))
  return extension(OID.certificatePolicies, new CertificatePolicies(policies))
}

/** The key identifier of an issuer as it stands in what it signs (RFC 5280 §4.2.1.1, §5.2.1). */
export function authorityKeyId({ subjectKeyId, publicKey }: Certificate): Extension {
  const keyId = new KeyIdentifier(toArrayBuffer(subjectKeyId ?? keyIdentifier(publicKey)))
  return extension(OID.authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier: keyId }))
}

function locations({ ocspUrl, caIssuersUrl, crlUrl }: IssueRequest): Extension[] {
  const access = [
    ...(ocspUrl === undefined ? [] : [accessDescription(OID.adOcsp, ocspUrl)]),
    ...(caIssuersUrl === undefined ? [] : [accessDescription(OID.adCaIssuers, caIssuersUrl)]),
  ]
  return [
    ...(access.length === 0
      ? []
      : [extension(OID.authorityInfoAccess, new AuthorityInfoAccessSyntax(access))]),
    ...(crlUrl === undefined ? [] : [extension(OID.cRLDistributionPoints, listAt(crlUrl))]),
  ]
}

function accessDescription(accessMethod: string, url: string): AccessDescription {
  const accessLocation = new GeneralName({ uniformResourceIdentifier: url })
  return new AccessDescription({ accessMethod, accessLocation })
}

/** RFC 5280 §4.2.1.13: one list with every reason, of the issuer itself */
function listAt(url: string): CRLDistributionPoints {
  const fullName = [new GeneralName({ uniformResourceIdentifier: url })]
  const distributionPoint = new DistributionPointName({ fullName })
  return new CRLDistributionPoints([new DistributionPoint({ distributionPoint })])
}
