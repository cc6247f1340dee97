import type { Certificate } from '../pki/certificate.ts'
import { formatIdentity } from '../pki/identity.ts'
import type { Logger } from '../runtime/logger.ts'
import { namedIdentity } from './catalogue/named-identity.ts'
import type { IndexedSnapshot } from './catalogue/view.ts'

/** A certificate of this gateway, and for whom its configuration has it. */
export interface OwnCertificate {
  readonly certificate: Certificate
  readonly purpose: 'authentication' | 'signing'
  /** `INSTANCE/CLASS/MEMBER/GATEWAY` to authenticate, `INSTANCE/CLASS/MEMBER` to sign. */
  readonly owner: string
}

/**
 * Whether a certificate plainly belongs to somebody else in the instance of `owner`: seen at a start,
 * before a snapshot says which authority writes subjects how. What is read by another profile than our
 * own is for {@link ownCertificateFault} to judge.
 */
export function namesAnother({ identity }: Certificate, owner: string): boolean {
  if (identity === undefined || identity.instance !== owner.split('/', 1)[0]) return false
  const { subsystem: _, ...named } = identity
  return formatIdentity(named) !== owner
}

/**
 * Why others do not take a certificate of ours for its owner's, by the catalogue: one sentence for the
 * log and the status; undefined when they do.
 */
export function ownCertificateFault(
  { certificate, purpose, owner }: OwnCertificate,
  snapshot: IndexedSnapshot,
  at: Date,
): string | undefined {
  const { thumbprint, subject } = certificate
  const listed =
    purpose === 'signing'
      ? snapshot.signingCertificate(owner, thumbprint)
      : snapshot.gateway(owner)?.certificates.get(thumbprint)
  if (listed !== undefined) return undefined
  const named = namedIdentity(certificate, snapshot, at)
  if (named === undefined) {
    return `no approved authority vouches for ${subject}; ask one of the catalogue's for a certificate`
  }
  const { identity, fault, authority } = named
  if (identity === undefined) {
    return `${subject} names nobody by the subject profile of ${authority.name}: ${fault}`
  }
  const { subsystem: _, ...parts } = identity
  // Not every authority names gateways; of one that does, its seal for a member may name one too.
  const text = formatIdentity(parts)
  if (!`${text}/`.startsWith(`${owner}/`) && !`${owner}/`.startsWith(`${text}/`)) {
    return `${subject} names ${text} by the subject profile of ${authority.name}, and is used for ${owner}`
  }
  return `the catalogue does not list ${subject} for ${owner}: register it there`
}

/** @returns what logs the faults of certificates of ours, each once until it is another. */
export function createFaultTeller(
  logger: Logger,
): (own: readonly OwnCertificate[], snapshot: IndexedSnapshot, at: Date) => void {
  const told = new Map<string, string>()
  return (own, snapshot, at) => {
    const held = new Set(own.map(({ certificate }) => certificate.thumbprint))
    for (const thumbprint of told.keys()) if (!held.has(thumbprint)) told.delete(thumbprint)
    for (const entry of own) {
      const { thumbprint } = entry.certificate
      const fault = ownCertificateFault(entry, snapshot, at)
      if (fault === undefined) told.delete(thumbprint)
      else if (told.get(thumbprint) !== fault) {
        told.set(thumbprint, fault)
        logger.warn(
          { snapshot: snapshot.number, fault },
          'others do not accept a certificate of ours',
        )
      }
    }
  }
}
