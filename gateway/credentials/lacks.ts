import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { revocationWords, type OcspStatus } from '../../pki/ocsp-verify.ts'

/** What a gateway knows of a certificate of its own, without asking anybody. */
export interface OwnKnowledge {
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`. */
  readonly gateway: string
  /** When and why a certificate was revoked; undefined as far as is known it was not. */
  readonly revocation: (thumbprint: string) => Pick<OcspStatus, 'revokedAt' | 'reason'> | undefined
  /** How right its clock is, as part of a sentence: a wrong one makes good certificates bad. */
  readonly clockWords: () => string
}

/** Why a certificate cannot be used. */
export interface Lack {
  /** Nothing but that the catalogue does not list it. */
  readonly inactive: boolean
  readonly words: string
}

/**
 * What keeps others from believing a certificate; undefined when nothing does.
 *
 * @param isListed whether the snapshot lists it for its owner.
 */
export function lackOf(
  certificate: Certificate,
  isListed: boolean,
  at: Date,
  { revocation, clockWords }: OwnKnowledge,
): Lack | undefined {
  const { notBefore, notAfter, thumbprint } = certificate
  const revoked = revocation(thumbprint)
  const bad = [
    ...(at > notAfter ? [`expired at ${notAfter.toISOString()} (${clockWords()})`] : []),
    ...(at < notBefore ? [`is valid from ${notBefore.toISOString()} on (${clockWords()})`] : []),
    ...(revoked ? [revocationWords(revoked)] : []),
  ]
  if (isListed && bad.length === 0) return undefined
  const unlisted = isListed ? [] : ['is not registered in the catalogue']
  return {
    inactive: bad.length === 0,
    words: `${nameOf(certificate)} ${[...bad, ...unlisted].join(', ')}`,
  }
}

/** What nothing mends: the certificate is of another kind, or its key is. */
export const lackForGood = (certificate: Certificate, fault: string): Lack => ({
  inactive: false,
  words: `${nameOf(certificate)} ${fault}`,
})

const nameOf = ({ subject, serial }: Certificate): string => `${subject} (serial ${serial})`

/**
 * The refusal when no certificate of an owner can be used: at the gateway that holds them, before
 * anything is sent, and not as what a peer would call it.
 *
 * @param owner a member, or the gateway itself.
 */
export function unsuitable(
  lacks: readonly Lack[],
  what: { readonly owner: string; readonly use: 'signing' | 'authentication' },
  { gateway }: OwnKnowledge,
): ExchangeError {
  const { owner, use } = what
  const inactive = lacks.find((lack) => lack.inactive)
  if (inactive) {
    return new ExchangeError(
      'gateway.certificate-inactive',
      `gateway ${gateway} holds the ${use} certificate of ${owner}, but it is not active: ${inactive.words}`,
    )
  }
  return new ExchangeError(
    'gateway.certificate-unsuitable',
    `gateway ${gateway} has no ${use} certificate of ${owner} that it may use: ${lacks.map(({ words }) => words).join('; ')}`,
  )
}
