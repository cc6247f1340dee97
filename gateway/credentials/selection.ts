import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { lifeMs, type Credential, type CredentialSlot } from './credential.ts'

/** What others know of a certificate. */
export interface Standing {
  /** Since when the snapshot lists it; undefined when it does not. */
  readonly listedSince: Date | undefined
  /** Since when it is revoked, as far as is known. */
  readonly revokedAt: Date | undefined
}

const MINUTE_MS = 60_000

/** How long a certificate is registered before it is used: by then every peer has that snapshot. */
export const overlapMs = (certificate: Certificate): number =>
  Math.min(MINUTE_MS, lifeMs(certificate) / 10)

/** What is sent in the very last moments of a certificate arrives after its end. */
const lastMomentsMs = (certificate: Certificate): number => overlapMs(certificate) / 5

/** Why a credential cannot be used at `at`, in words; undefined when it can. */
export function unsuitableBecause(
  { certificate, fault }: Credential,
  { listedSince, revokedAt }: Standing,
  at: Date,
): string | undefined {
  const { notBefore, notAfter } = certificate
  if (fault !== undefined) return fault
  if (revokedAt !== undefined) return `was revoked at ${revokedAt.toISOString()}`
  if (at > notAfter) return `ended at ${notAfter.toISOString()}`
  if (at < notBefore) return `is valid from ${notBefore.toISOString()} on only`
  if (listedSince === undefined) return 'is not registered in the catalogue'
  return undefined
}

/**
 * The credential to use: the newest that every peer knows by now; before that the one it replaces.
 *
 * @param credentials of one slot, the newest first.
 * @throws ExchangeError `gateway.certificate-inactive` when none of them is registered,
 *   `gateway.certificate-unsuitable` when none can be used; both say of each why.
 */
export function selectCredential(
  slot: CredentialSlot,
  credentials: readonly Credential[],
  standingOf: (certificate: Certificate) => Standing,
  at: Date,
): Credential {
  const judged = credentials.map((credential) => {
    const standing = standingOf(credential.certificate)
    return { credential, standing, fault: unsuitableBecause(credential, standing, at) }
  })
  const usable = judged.filter(({ fault }) => fault === undefined)
  const known = usable.find(({ credential: { certificate }, standing: { listedSince } }) => {
    const heldMs = at.getTime() - listedSince!.getTime()
    const leftMs = certificate.notAfter.getTime() - at.getTime()
    return heldMs >= overlapMs(certificate) && leftMs > lastMomentsMs(certificate)
  })
  const chosen = known ?? leastNew(usable, at)
  if (chosen !== undefined) return chosen.credential
  const reasons = judged.map(
    ({ credential: { certificate }, fault }) =>
      `${certificate.thumbprint} (${certificate.subject}) ${fault}`,
  )
  const isRegistered = judged.some(({ standing }) => standing.listedSince !== undefined)
  throw new ExchangeError(
    isRegistered ? 'gateway.certificate-unsuitable' : 'gateway.certificate-inactive',
    `no certificate for ${slot.kind} of ${slot.owner} can be used: ${reasons.join('; ')}`,
  )
}

/** When all are new to the peers: the one that is known longest and does not end this moment. */
function leastNew<T extends { readonly credential: Credential }>(
  usable: readonly T[],
  at: Date,
): T | undefined {
  const lasting = usable.filter(
    ({ credential: { certificate } }) =>
      certificate.notAfter.getTime() - at.getTime() > lastMomentsMs(certificate),
  )
  return lasting.at(-1) ?? usable.at(0)
}
