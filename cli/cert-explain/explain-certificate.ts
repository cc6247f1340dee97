import type { Certificate } from '../../pki/certificate.ts'
import { formatIdentity, OWN_PROFILE } from '../../pki/identity.ts'
import { keyFault } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { purposeFault } from '../../pki/purpose.ts'
import { readSubject } from '../../pki/subject-profile.ts'
import type { Approved, ApprovedAuthority } from './approved.ts'
import { buildChain, type Chain } from './chain.ts'
import { attention, wrong, type Finding, type Part, type Shown } from './explanation.ts'
import { askRevocation, readStaple, type RevocationAnswer } from './revocation.ts'
import {
  certificateWords,
  duration,
  keyFingerprint,
  keyWords,
  purposeOf,
  timeLeft,
} from './words.ts'

export interface CertificateContext {
  readonly approved: Approved
  readonly at: Date
  /** What a server stapled to its handshake. */
  readonly staple?: Buffer
}

/** Everything about a certificate and those it leads to; asks its OCSP responders and lists. */
export async function explainCertificate(shown: Shown, context: CertificateContext): Promise<Part> {
  const { approved, at } = context
  const certificate = shown.certificates[0]!
  const chain = buildChain(shown, approved, at)
  const whose = explainWhose(certificate, chain, approved)
  const revocation = await explainRevocation(chain, context)
  return {
    facts: {
      ...whose.facts,
      subject: certificate.subject,
      issuer: certificate.issuer,
      serial: certificate.serial,
      thumbprint: certificate.thumbprint,
      valid: `${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}: ${timeLeft(certificate, at)}`,
      key: `${keyWords(certificate.publicKey)} (fingerprint ${keyFingerprint(certificate.publicKey)})`,
      keyUsage: certificate.keyUsage && [...certificate.keyUsage],
      names: certificate.subjectAltNames.length > 0 ? certificate.subjectAltNames : undefined,
      ...catalogueFacts(certificate, approved),
    },
    chain: chain.links,
    revocation: revocation.facts,
    findings: [
      ...validityFindings(certificate, at),
      ...purposeFindings(certificate),
      ...chain.findings,
      ...whose.findings,
      ...revocation.findings,
      ...catalogueFindings(certificate, chain, approved),
    ],
    unknown: [...whose.unknown, ...unknownOf(approved, at)],
  }
}

function explainWhose(certificate: Certificate, { authority }: Chain, { source }: Approved): Part {
  const { subjectDer, isCa } = certificate
  if (isCa) return { facts: {}, findings: [], unknown: [] }
  const profile = authority?.subjectProfile ?? OWN_PROFILE
  const { identity, fault } = readSubject(subjectDer, profile)
  const name = profileName(authority)
  if (identity !== undefined) {
    return { facts: { whose: formatIdentity(identity), profile: name }, findings: [], unknown: [] }
  }
  // A host, a responder and a time-stamping authority are known by their certificate: they are no member's.
  if (!namesSomebody(certificate)) return { facts: {}, findings: [], unknown: [] }
  const what = `It names nobody by ${name}: ${fault}.`
  const remedy =
    'Ask for a certificate with the identity in its subject, or correct the profile of its authority: spean authority add … --subject-profile FILE.'
  // Of an authority whose terms are not known this may be right.
  if (authority?.areTermsKnown !== true) {
    const asked =
      source === undefined ? [] : [`Whose it is: ${what} Its authority may write it otherwise.`]
    return { facts: { profile: name }, findings: [], unknown: asked }
  }
  return { facts: { profile: name }, findings: [wrong(what, remedy)], unknown: [] }
}

function namesSomebody(certificate: Certificate): boolean {
  const { extendedKeyUsage = [] } = certificate
  if (extendedKeyUsage.includes(OID.ocspSigning)) return false
  if (extendedKeyUsage.includes(OID.timeStamping)) return false
  return purposeOf(certificate) !== 'server'
}

function profileName(authority: ApprovedAuthority | undefined): string {
  if (authority?.subjectProfile) return `the subject profile of ${authority.name}`
  return authority?.areTermsKnown
    ? `our own subject profile, which ${authority.name} has`
    : 'our own subject profile, for want of a better one'
}

async function explainRevocation(
  { certificates, authority }: Chain,
  { at, staple }: CertificateContext,
): Promise<RevocationAnswer> {
  const ocspNonce = authority?.ocspNonce ?? 'required'
  const pairs = certificates.flatMap((certificate, i) => {
    const issuer = certificates[i + 1]
    // Of an authority nothing is asked when it names nobody: it is withdrawn in the catalogue.
    const isAsked = i === 0 || certificate.ocspUrls.length + certificate.crlUrls.length > 0
    return issuer && isAsked ? [{ certificate, issuer, ocspNonce, at }] : []
  })
  const [first] = pairs
  const answers = [
    ...(first && staple ? [readStaple(staple, first)] : []),
    ...(await Promise.all(pairs.map(askRevocation))),
  ]
  return {
    facts: answers.flatMap(({ facts }) => facts),
    findings: answers.flatMap(({ findings }) => findings),
  }
}

const ATTENTION_MS = 30 * 86_400_000

function validityFindings(certificate: Certificate, at: Date): Finding[] {
  const { notBefore, notAfter } = certificate
  const left = notAfter.getTime() - at.getTime()
  if (at < notBefore) {
    return [
      wrong(
        `It is not valid yet: it begins in ${duration(notBefore.getTime() - at.getTime())}.`,
        'Wait, or compare the clock of this machine with that of the authority.',
      ),
    ]
  }
  if (left < 0) {
    return [wrong(`It ended ${duration(left)} ago.`, 'Ask its authority for a new certificate.')]
  }
  const isLate = left < ATTENTION_MS && left < (notAfter.getTime() - notBefore.getTime()) / 3
  return isLate
    ? [attention(`It ends in ${duration(left)}.`, 'Ask its authority for the next one now.')]
    : []
}

function purposeFindings(certificate: Certificate): Finding[] {
  const weakness = keyFault(certificate.publicKey)
  if (weakness !== undefined) {
    return [wrong(`Its key is not accepted: ${weakness}.`, 'Make a P-256 or RSA key and ask anew.')]
  }
  if (!/for no purpose/.test(certificateWords(certificate))) return []
  const reasons = (['authentication', 'signing', 'information-system'] as const).map(
    (purpose) => `not for ${purpose}, because ${purposeFault(certificate, purpose)}`,
  )
  return [
    wrong(
      `It serves no purpose here: ${reasons.join('; ')}.`,
      'Ask for one with the key usages of docs/certificate-profiles.md.',
    ),
  ]
}

function catalogueFacts({ thumbprint }: Certificate, { owners }: Approved): object {
  if (owners === undefined) return {}
  return {
    catalogue: owners.get(thumbprint)?.map((owner) => `listed for ${owner}`) ?? 'not listed',
  }
}

function catalogueFindings(
  certificate: Certificate,
  { authority }: Chain,
  { owners }: Approved,
): Finding[] {
  const purpose = purposeOf(certificate)
  const kind = purpose === 'authentication' ? 'gateway' : 'member'
  if (owners === undefined || (purpose !== 'authentication' && purpose !== 'signing')) return []
  const listed = owners.get(certificate.thumbprint)
  if (listed === undefined) {
    return [
      wrong(
        'The catalogue does not list it, so no gateway accepts it.',
        `Register it: spean ${kind} certificate ID FILE.`,
      ),
    ]
  }
  const profile = authority?.subjectProfile ?? OWN_PROFILE
  const { identity } = readSubject(certificate.subjectDer, profile)
  const member = identity && `${identity.instance}/${identity.memberClass}/${identity.member}`
  const other = listed.find((owner) => member !== undefined && !`${owner}/`.includes(` ${member}/`))
  return other === undefined
    ? []
    : [
        wrong(
          `The catalogue lists it for ${other}, and it names ${member}.`,
          'Take it off there and register it for whom it names.',
        ),
      ]
}

function unknownOf({ source, owners }: Approved, at: Date): string[] {
  const isNow = Math.abs(Date.now() - at.getTime()) < 60_000
  return [
    ...(source === undefined
      ? [
          'Which authorities are approved: there is no profile here; give --profile, --anchor or --ca FILE.',
        ]
      : []),
    ...(source !== undefined && owners === undefined
      ? ['Whether the catalogue lists it: that takes a profile with a catalogue, or --anchor FILE.']
      : []),
    ...(isNow ? [] : ['The revocation state at the time asked about: answers are about now.']),
  ]
}
