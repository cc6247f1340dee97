import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { OWN_PROFILE } from '../../pki/identity.ts'
import { verifyPath } from '../../pki/path.ts'
import { readSubject, type SubjectReading } from '../../pki/subject-profile.ts'
import type { ApprovedAuthority, IndexedSnapshot } from './view.ts'

/**
 * Whom a certificate names by the profile of the approved authority at whose root its path ends
 * (protocol/README.md §7.5), whatever the certificate is for and whether or not it is revoked.
 *
 * @returns undefined when no approved authority vouches for it at `at`: then it names nobody here.
 */
export function namedIdentity(
  certificate: Certificate,
  { authorities, anchors, intermediates }: IndexedSnapshot,
  at: Date,
): (SubjectReading & { readonly authority: ApprovedAuthority }) | undefined {
  try {
    const purpose = undefined
    const root = verifyPath(certificate, { anchors, intermediates, at, purpose }).at(-1)
    const authority = authorities.find(({ anchor }) => anchor === root)!
    const profile = authority.subjectProfile ?? OWN_PROFILE
    return { ...readSubject(certificate.subjectDer, profile), authority }
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}
