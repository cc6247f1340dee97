import type { Certificate } from '../../pki/certificate.ts'
import { lifeMs, type Credential, type CredentialSlot } from './credential.ts'
import { lackForGood, lackOf, unsuitable, type Lack, type OwnKnowledge } from './lacks.ts'

export interface Selection {
  readonly slot: CredentialSlot
  /** Of the slot, the newest first. */
  readonly credentials: readonly Credential[]
  /** Since when the snapshot lists a certificate; undefined when it does not. */
  readonly listedSince: (thumbprint: string) => Date | undefined
  readonly known: OwnKnowledge
  readonly at: Date
}

const MINUTE_MS = 60_000

/** How long a certificate is listed before it is used: by then every peer has that snapshot. */
export const overlapMs = (certificate: Certificate): number =>
  Math.min(MINUTE_MS, lifeMs(certificate) / 10)

/** What is sent in the very last moments of a certificate arrives after its end. */
const lastMomentsMs = (certificate: Certificate): number => overlapMs(certificate) / 5

/** What keeps others from believing a credential; undefined when nothing does. */
export function lackOfCredential(
  { certificate, fault }: Credential,
  { listedSince, known, at }: Pick<Selection, 'listedSince' | 'known' | 'at'>,
): Lack | undefined {
  if (fault !== undefined) return lackForGood(certificate, fault)
  return lackOf(certificate, listedSince(certificate.thumbprint) !== undefined, at, known)
}

/**
 * The credential to use: the newest that every peer knows by now; before that the one it replaces.
 *
 * @throws ExchangeError `gateway.certificate-inactive` when nothing but being listed is lacking,
 *   `gateway.certificate-unsuitable` with what each of them lacks.
 */
export function selectCredential(selection: Selection): Credential {
  const { slot, credentials, listedSince, known, at } = selection
  const lacks: Lack[] = []
  const usable = credentials.filter((credential) => {
    const lack = lackOfCredential(credential, selection)
    if (lack !== undefined) lacks.push(lack)
    return lack === undefined
  })
  const lasting = usable.filter(({ certificate }) => {
    const leftMs = certificate.notAfter.getTime() - at.getTime()
    return leftMs > lastMomentsMs(certificate)
  })
  const everywhere = lasting.find(({ certificate }) => {
    const since = listedSince(certificate.thumbprint)!
    return at.getTime() - since.getTime() >= overlapMs(certificate)
  })
  // When all are new to the peers: the one that they know longest.
  const chosen = everywhere ?? lasting.at(-1) ?? usable[0]
  if (chosen !== undefined) return chosen
  throw unsuitable(lacks, { owner: slot.owner, use: slot.kind }, known)
}
