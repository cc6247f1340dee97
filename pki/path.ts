import { ExchangeError } from '../protocol/errors.ts'
import type { Certificate } from './certificate.ts'
import { purposeFault, type Purpose } from './purpose.ts'
import { signatureFault } from './signature-algorithms.ts'

export interface PathOptions {
  /** Approved authorities: a path ends at one of them. */
  readonly anchors: readonly Certificate[]
  /** What may stand in between; may come from the peer, so nothing in it is believed. */
  readonly intermediates: readonly Certificate[]
  /** The time as of which everything must be valid. */
  readonly at: Date
  /** Undefined: whatever it is for. */
  readonly purpose: Purpose | undefined
}

/** Certificates in a path, leaf and anchor included. */
const MAX_PATH = 6
/** Links that are tried: intermediates may be made to form a thicket. */
const MAX_LINKS = 64

/**
 * Builds and validates the path from a certificate to an anchor (RFC 5280 §6.1), without
 * revocation, which is asked for by OCSP.
 *
 * @returns the path, leaf first, anchor last.
 * @throws ExchangeError `certificate.expired` or `certificate.not-yet-valid` when a certificate of the path
 * is outside of its validity, `certificate.issuer-missing` when the authority that issued the
 * leaf is not at hand, `certificate.untrusted` for everything else.
 */
export function verifyPath(certificate: Certificate, options: PathOptions): Certificate[] {
  const fault = validityFault(certificate, options.at) ?? leafFault(certificate, options.purpose)
  if (fault !== undefined) throw fault
  const search: Search = { ...options, links: 0, fault: undefined, end: undefined }
  const path = climb([certificate], search)
  if (path !== undefined) return path
  if (search.fault !== undefined) throw search.fault
  if (search.end !== undefined) throw brokenPath(search.end, search)
  throw untrusted(certificate, 'no approved authority issued it')
}

/**
 * Why nothing at hand issued `end`. Who shows a certificate shows the authorities below the root with it: when
 * those end at an authority, its root is not approved; when there is none, the one that issued the leaf is missing,
 * and it may well stand below an approved root.
 */
function brokenPath(end: Certificate, { anchors, intermediates }: Search): ExchangeError {
  const isSelfIssued = end.subjectDer.equals(end.issuerDer)
  if (isSelfIssued || end.isCa) return untrusted(end, 'no approved authority issued it')
  const hasName = [...anchors, ...intermediates].some(isNamedIssuerOf(end))
  if (hasName) return untrusted(end, 'the authority at hand of that name has another key')
  return new ExchangeError(
    'certificate.issuer-missing',
    `the certificate of ${end.subject} leads to no approved authority: the certificate of its issuer ${end.issuer}${keyIdText(end)} is missing`,
  )
}

function keyIdText({ authorityKeyId }: Certificate): string {
  return authorityKeyId === undefined ? '' : ` (key id ${authorityKeyId.toString('hex')})`
}

interface Search extends PathOptions {
  links: number
  /** The first reason why a link did not hold: nearest to the leaf, so nearest to the question. */
  fault: ExchangeError | undefined
  /** Where the first path that was climbed found no issuer. */
  end: Certificate | undefined
}

function climb(path: readonly Certificate[], search: Search): Certificate[] | undefined {
  const child = path.at(-1)!
  const issuers = issuersOf(child, search).filter((issuer) => !path.includes(issuer))
  if (issuers.length === 0) search.end ??= child
  for (const issuer of issuers) {
    if (path.length >= MAX_PATH || ++search.links > MAX_LINKS) continue
    const fault = linkFault(path, issuer, search.at)
    if (fault !== undefined) {
      search.fault ??= fault
      continue
    }
    const longer = [...path, issuer]
    const complete = search.anchors.includes(issuer) ? longer : climb(longer, search)
    if (complete !== undefined) return complete
  }
  return undefined
}

/** Candidates by name (RFC 5280 §6.1.3 a 4, compared as bytes) and key identifier, anchors first. */
function issuersOf(child: Certificate, { anchors, intermediates }: Search): Certificate[] {
  const isNamed = isNamedIssuerOf(child)
  return [...anchors, ...intermediates].filter(
    (candidate) =>
      isNamed(candidate) &&
      (!candidate.subjectKeyId ||
        !child.authorityKeyId ||
        candidate.subjectKeyId.equals(child.authorityKeyId)),
  )
}

const isNamedIssuerOf =
  ({ issuerDer }: Certificate) =>
  ({ subjectDer }: Certificate): boolean =>
    subjectDer.equals(issuerDer)

/**
 * The one of `candidates` that signed a certificate: authorities may share a name. Nothing else of it is
 * judged, see {@link verifyPath}.
 */
export function signerOf(
  certificate: Certificate,
  candidates: readonly Certificate[],
): Certificate | undefined {
  return candidates
    .filter(isNamedIssuerOf(certificate))
    .find((candidate) => linkSignatureFault(certificate, candidate) === undefined)
}

/** What is wrong with `issuer` as the issuer of the last certificate in `path`. */
function linkFault(
  path: readonly Certificate[],
  issuer: Certificate,
  at: Date,
): ExchangeError | undefined {
  const child = path.at(-1)!
  const expired = validityFault(issuer, at)
  if (expired !== undefined) return expired
  const signature = linkSignatureFault(child, issuer) // §6.1.3 a 1
  if (signature !== undefined) return untrusted(child, signature)
  const critical = criticalFault(issuer)
  if (critical !== undefined) return untrusted(issuer, critical)
  // §6.1.4 k and n
  if (!issuer.isCa) return untrusted(child, 'its issuer is not an authority')
  if (issuer.keyUsage?.has('keyCertSign') === false) {
    return untrusted(child, 'its issuer may not sign certificates')
  }
  // §6.1.4 l and m: certificates an authority issued for itself do not count
  const between = path.slice(1).filter(({ subjectDer, issuerDer }) => !subjectDer.equals(issuerDer))
  if (issuer.pathLength !== undefined && between.length > issuer.pathLength) {
    return untrusted(issuer, `more than ${issuer.pathLength} authorities stand below it`)
  }
  return undefined
}

function leafFault(leaf: Certificate, purpose: PathOptions['purpose']): ExchangeError | undefined {
  const reason = criticalFault(leaf) ?? (purpose && purposeFault(leaf, purpose))
  return reason === undefined ? undefined : untrusted(leaf, reason)
}

/** RFC 5280 §6.1.4 o, §6.1.5 f */
function criticalFault({ unknownCritical: [id] }: Certificate): string | undefined {
  return id && `its critical extension ${id} is not understood here`
}

/** §6.1.3 a 2; both ends of the validity are in it (§4.1.2.5) */
function validityFault(certificate: Certificate, at: Date): ExchangeError | undefined {
  const { notBefore, notAfter, subject } = certificate
  if (at >= notBefore && at <= notAfter) return undefined
  const [from, until, time] = [notBefore, notAfter, at].map((instant) => instant.toISOString())
  return at < notBefore
    ? new ExchangeError(
        'certificate.not-yet-valid',
        `the certificate of ${subject} is valid from ${from} on, and the time is ${time}`,
      )
    : new ExchangeError(
        'certificate.expired',
        `the certificate of ${subject} is over since ${until}: it was valid from ${from}, and the time is ${time}`,
      )
}

function untrusted({ subject, issuer }: Certificate, reason: string): ExchangeError {
  return new ExchangeError(
    'certificate.untrusted',
    `the certificate of ${subject}, issued by ${issuer}, is refused: ${reason}`,
  )
}

const verifiedLinks = new WeakMap<Certificate, WeakSet<Certificate>>()

/**
 * Why the signature of `child` is not one of `issuer`'s key, undefined when it is. Links that
 * verified are remembered as long as both certificates are: neither can change.
 */
export function linkSignatureFault(child: Certificate, issuer: Certificate): string | undefined {
  if (verifiedLinks.get(child)?.has(issuer)) return undefined
  const fault = signatureFault(child, issuer.publicKey)
  if (fault !== undefined) return fault
  const issuers = verifiedLinks.get(child) ?? new WeakSet()
  verifiedLinks.set(child, issuers.add(issuer))
  return undefined
}
