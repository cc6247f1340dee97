import type { Certificate } from '../pki/certificate.ts'
import {
  formatIdentity,
  OWN_PROFILE,
  type CertificateIdentity,
  type CertificateKind,
} from '../pki/identity.ts'
import { verifyPath } from '../pki/path.ts'
import { IDENTITY_PARTS, readSubject } from '../pki/subject-profile.ts'
import type { SubjectProfile } from '../protocol/snapshot.ts'
import { invalid } from './input.ts'

interface Approver {
  readonly name: string
  readonly root: Certificate
  readonly subjectProfile: SubjectProfile | undefined
}

interface Approved<A extends Approver> {
  readonly authorities: readonly A[]
  readonly anchors: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  readonly at: Date
  readonly purpose: CertificateKind
}

/**
 * Whom a certificate names, by the profile of the approved authority at whose root its path ends
 * (protocol/README.md §7.5).
 *
 * @returns the path as well, leaf first; `fault` says why `identity` is undefined.
 * @throws ExchangeError the code of {@link verifyPath}.
 */
export function readOwner<A extends Approver>(
  certificate: Certificate,
  approved: Approved<A>,
): {
  readonly path: Certificate[]
  readonly authority: A
  readonly identity: CertificateIdentity | undefined
  readonly fault: string | undefined
} {
  const path = verifyPath(certificate, approved)
  const authority = approved.authorities.find(({ root }) => root === path.at(-1))!
  const profile = authority.subjectProfile ?? OWN_PROFILE
  const { identity, fault } = readSubject(certificate.subjectDer, profile)
  return { path, authority, identity, fault }
}

/**
 * Verifies that an approved authority vouches for a certificate, and that it names `wanted`.
 *
 * Of a country's own authority, what the profile has no part for is not asked: who registers says which
 * gateway it is. And a certificate of a member may name a gateway besides.
 *
 * @returns the authority.
 * @throws ExchangeError the code of {@link verifyPath}; `admin.invalid` when it names another or nobody.
 */
export function verifyOwner<A extends Approver>(
  certificate: Certificate,
  wanted: CertificateIdentity,
  approved: Approved<A>,
): A {
  const { authority, identity, fault } = readOwner(certificate, approved)
  const { name, subjectProfile } = authority
  const profile = subjectProfile ?? OWN_PROFILE
  if (identity === undefined) {
    throw invalid(
      'certificate',
      `it names nobody (${certificate.subject}) by the subject profile of ${name}: ${fault}`,
    )
  }
  const isAsked = (part: (typeof IDENTITY_PARTS)[number]): boolean =>
    subjectProfile === undefined || (wanted[part] !== undefined && profile[part] !== undefined)
  const other = IDENTITY_PARTS.find((part) => isAsked(part) && identity[part] !== wanted[part])
  if (other === undefined) return authority
  throw invalid(
    'certificate',
    `it names ${formatIdentity(identity)}, and not ${formatIdentity(wanted)} (${other}, by the subject profile of ${name})`,
  )
}
