import { parseCertificate, type Certificate } from './certificate.ts'
import type { IssueRequest } from './issue-request.ts'
import { verifyProfile } from './profile-check.ts'
import { signAsn } from './signed-structure.ts'
import { buildToBeSigned } from './to-be-signed.ts'

export type { Issuer, IssueRequest } from './issue-request.ts'

/**
 * Issues a certificate (RFC 5280 §4.1) of one of our profiles: builds it, checks it against its profile, signs
 * it. Nothing is signed that was not checked as it stands.
 *
 * @throws TypeError when what was built deviates from the profile: a bug, or a request that the caller did not check.
 * @throws KeyError
 */
export async function issueCertificate(request: IssueRequest): Promise<Certificate> {
  const toBeSigned = buildToBeSigned(request)
  verifyProfile(toBeSigned, request)
  return await signCertificate(toBeSigned, request.issuer)
}

/** Signs without a look at what is signed; issueCertificate is the way to issue. @throws KeyError */
export async function signCertificate(
  toBeSigned: Uint8Array,
  issuer: IssueRequest['issuer'],
): Promise<Certificate> {
  return parseCertificate(await signAsn(toBeSigned, issuer.key))
}
