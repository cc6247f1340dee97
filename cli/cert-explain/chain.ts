import type { Certificate } from '../../pki/certificate.ts'
import { linkSignatureFault } from '../../pki/path.ts'
import type { Approved, ApprovedAuthority } from './approved.ts'
import { attention, wrong, type Finding, type LinkFacts, type Shown } from './explanation.ts'
import { timeLeft } from './words.ts'

export interface Chain {
  /** The certificate first, as far up as issuers were found. */
  readonly certificates: readonly Certificate[]
  readonly links: readonly LinkFacts[]
  /** At whose root it ends; undefined: at nobody's that is approved. */
  readonly authority: ApprovedAuthority | undefined
  readonly findings: readonly Finding[]
}

const MAX_LENGTH = 6 // pki/path.ts takes no longer ones
type Candidate = readonly [certificate: Certificate, from: string]

/** Goes from a certificate to its issuers, by what was shown with it and by what is approved. */
export function buildChain(
  { certificates: shown, from }: Shown,
  approved: Approved,
  at: Date,
): Chain {
  const candidates: Candidate[] = [
    ...approved.authorities.flatMap(({ name, root, intermediates }) =>
      [root, ...intermediates].map((known): Candidate => [known, `approved as ${name}`]),
    ),
    ...shown.slice(1).map((certificate): Candidate => [certificate, from]),
  ]
  const chain: Candidate[] = [[shown[0]!, from]]
  let last = shown[0]!
  while (!isSelfIssued(last) && chain.length < MAX_LENGTH) {
    const issuer = findIssuer(last, candidates)
    if (issuer === undefined || chain.some(([known]) => known === issuer[0])) break
    chain.push(issuer)
    last = issuer[0]
  }
  const certificates = chain.map(([certificate]) => certificate)
  const links = chain.map(([certificate, place], i) =>
    describe(certificate, place, chain[i + 1]?.[0], i, at),
  )
  const authority = approved.authorities.find(({ root }) => root === last)
  return {
    certificates,
    links,
    authority,
    findings: [...linkFindings(links), ...endFindings(last, authority, approved)],
  }
}

const isSelfIssued = ({ subjectDer, issuerDer }: Certificate): boolean =>
  subjectDer.equals(issuerDer)

/** By name and key identifier as verifyPath does; of several, one whose signature holds. */
function findIssuer(child: Certificate, candidates: readonly Candidate[]): Candidate | undefined {
  const named = candidates.filter(([{ subjectDer }]) => subjectDer.equals(child.issuerDer))
  const signed = named.find(([issuer]) => linkSignatureFault(child, issuer) === undefined)
  return signed ?? named[0]
}

function describe(
  certificate: Certificate,
  from: string,
  issuer: Certificate | undefined,
  depth: number,
  at: Date,
): LinkFacts {
  const {
    subject,
    issuer: issuerName,
    notBefore,
    notAfter,
    isCa,
    keyUsage,
    pathLength,
  } = certificate
  const signer = issuer ?? (isSelfIssued(certificate) ? certificate : undefined)
  const tooDeep = pathLength !== undefined && depth - 1 > pathLength
  return {
    subject,
    issuer: issuerName,
    from,
    notAfter: notAfter.toISOString(),
    checks: {
      validity: at >= notBefore && at <= notAfter ? null : timeLeft(certificate, at),
      signature: signer
        ? (linkSignatureFault(certificate, signer) ?? null)
        : 'its issuer is not at hand',
      ...(depth === 0
        ? {}
        : {
            authority: !isCa
              ? 'it is not an authority'
              : keyUsage?.has('keyCertSign') === false
                ? 'it may not sign certificates'
                : tooDeep
                  ? `more than ${pathLength} authorities stand below it`
                  : null,
          }),
      criticalExtensions: certificate.unknownCritical[0]
        ? `${certificate.unknownCritical[0]} is not understood here`
        : null,
    },
  }
}

/** The certificate's own validity has words of its own, see explain-certificate.ts. */
function linkFindings(links: readonly LinkFacts[]): Finding[] {
  return links.flatMap(({ subject, checks }, depth) =>
    Object.entries(checks).flatMap(([check, fault]) => {
      if (fault === null || fault === 'its issuer is not at hand') return []
      if (check === 'validity' && depth === 0) return []
      const remedy =
        check === 'signature'
          ? 'Another authority has the same name, or the certificate was changed: ask the authority for its certificate and for this one again.'
          : 'Ask the authority that issued it for a chain that holds.'
      return [wrong(`In the chain, ${subject}: ${check}: ${fault}.`, remedy)]
    }),
  )
}

function endFindings(
  last: Certificate,
  authority: ApprovedAuthority | undefined,
  approved: Approved,
): Finding[] {
  if (authority !== undefined) return []
  const isKnown = approved.source !== undefined
  if (!isSelfIssued(last)) {
    const [url] = last.caIssuersUrls
    const place = url === undefined ? '' : `; it is at ${url}`
    return [
      (isKnown ? wrong : attention)(
        `The chain breaks off: ${last.issuer}, the issuer of ${last.subject}, is not at hand.`,
        `Put the issuer's certificate behind this one in the file${place}, or name it with --ca.`,
      ),
    ]
  }
  if (!isKnown) return []
  return [
    wrong(
      `The chain ends at ${last.subject}, which is not approved by ${approved.source}.`,
      'Use a certificate of an approved authority (spean authority list), or have this one approved: spean authority add.',
    ),
  ]
}
