import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { revocationWords, type OcspStatus } from '../../pki/ocsp-verify.ts'
import { duration } from './duration.ts'

/** Whose state is asked for, and how its authority answers. */
export interface OcspQuestion {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** Whether the responder must repeat our nonce (protocol/README.md §7.1). */
  readonly nonce: 'required' | 'optional'
}

/** Who gave an answer: its authority, the certificate's owner, or our own disk after a restart. */
export type OcspSource = 'responder' | 'owner' | 'stapled' | 'disk'

export interface Answer {
  readonly der: Buffer
  readonly state: OcspStatus
  readonly source: OcspSource
}

/** How the states of certificates are kept. */
export interface StatePolicy {
  /** `INSTANCE/CLASS/MEMBER/GATEWAY`: whose knowledge it is, for the sentences. */
  readonly gateway: string
  /** Without having asked the responder, an older answer is not relied on. */
  readonly refreshSeconds: number
  /** How old the last good answer may get while the responder is away. */
  readonly outageMinutes: number
}

/**
 * Whether an answer is passed over: older than the one at hand, or calling good what was revoked for
 * good. Answers come by plain HTTP and from their owners, and anybody may play an old one again.
 */
export function isOutdone(state: OcspStatus, held: OcspStatus | undefined): boolean {
  if (held === undefined) return false
  const forGood = held.status === 'revoked' && held.reason !== 'certificateHold'
  return state.thisUpdate < held.thisUpdate || (forGood && state.status !== 'revoked')
}

/** Until when an answer counts although the responder is away (protocol/README.md §6.5). */
export function usableUntil({ thisUpdate, nextUpdate }: OcspStatus, policy: StatePolicy): Date {
  const outageMs = policy.outageMinutes * 60_000
  return new Date(Math.max(thisUpdate.getTime() + outageMs, nextUpdate.getTime()))
}

export function revokedError({ subject, serial }: Certificate, state: OcspStatus): ExchangeError {
  return new ExchangeError(
    'certificate.revoked',
    `the certificate ${subject} (serial ${serial}) ${revocationWords(state)}`,
  )
}

export function staleError(
  { certificate }: OcspQuestion,
  state: OcspStatus,
  policy: StatePolicy,
  known: { readonly at: Date; readonly fault: string | undefined },
): ExchangeError {
  const { thisUpdate } = state
  const age = duration(known.at.getTime() - thisUpdate.getTime())
  const limit = duration(usableUntil(state, policy).getTime() - thisUpdate.getTime())
  return new ExchangeError(
    'certificate.status-stale',
    `gateway ${policy.gateway} last heard at ${thisUpdate.toISOString()} that ${certificate.subject} is not revoked: that is ${age} ago, and ${limit} is the limit; its OCSP responder ${certificate.ocspUrls[0]} does not answer (${known.fault ?? 'no answer'})`,
  )
}

export function unknownError(
  { certificate }: OcspQuestion,
  policy: StatePolicy,
  fault: string | undefined,
): ExchangeError {
  return new ExchangeError(
    'certificate.status-unknown',
    `gateway ${policy.gateway} never heard whether ${certificate.subject} is revoked: its OCSP responder ${certificate.ocspUrls[0] ?? '(the certificate names none)'} does not answer (${fault ?? 'no answer'})`,
  )
}
