import type { Certificate } from '../../pki/certificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Credential, CredentialSlot } from './credential.ts'
import { selectCredential, unsuitableBecause, type Standing } from './selection.ts'
import type { CredentialStore } from './store.ts'

/** Which of its credentials a gateway uses at a moment. */
export interface Credentials {
  /** Whether there is any key of this member, with whatever certificate. */
  holdsKeyOf(member: string): boolean
  /**
   * The credential that signs in a member's name.
   *
   * @throws ExchangeError `gateway.certificate-inactive`, `gateway.certificate-unsuitable`.
   */
  signing(member: string, catalogue: CatalogueView, at: Date): Credential
  /**
   * The credential that other gateways are called with.
   *
   * Before the first snapshot it is the one that is shown.
   *
   * @throws ExchangeError as `signing` does.
   */
  authentication(at: Date): Credential
  /** What this gateway's own ports show: the best there is, usable or not. */
  shown(at: Date): Credential
  /** Remembers since when certificates are listed. */
  noteSnapshot(snapshot: CatalogueView): void
  /** Every credential with what is wrong with it, for people. */
  describe(at: Date): CredentialState[]
}

export interface CredentialState extends CredentialSlot {
  readonly subject: string
  readonly thumbprint: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly listedSince: Date | undefined
  /** Whether it is the one that is used now. */
  readonly active: boolean
  /** Whether another one of its kind and owner is there that is newer. */
  readonly superseded: boolean
  readonly fault: string | undefined
}

export function createCredentials(deps: {
  readonly gatewayId: string
  readonly store: Pick<CredentialStore, 'of' | 'all'>
  readonly revokedAt: (certificate: Certificate) => Date | undefined
  readonly clock: Clock
}): Credentials {
  const { gatewayId, store, revokedAt, clock } = deps
  const own: CredentialSlot = { kind: 'authentication', owner: gatewayId }
  const listedSince = new Map<string, Date>()
  let newest: CatalogueView | undefined

  const isListed = (slot: CredentialSlot, thumbprint: string, view?: CatalogueView): boolean =>
    slot.kind === 'signing'
      ? view?.signingCertificate(slot.owner, thumbprint) !== undefined
      : view?.gateway(slot.owner)?.certificates.has(thumbprint) === true
  const standing =
    (slot: CredentialSlot, view: CatalogueView | undefined, at: Date) =>
    (certificate: Certificate): Standing => {
      const { thumbprint } = certificate
      const listed = isListed(slot, thumbprint, view)
      // It was registered before it came here, when no snapshot has been seen since.
      if (listed && !listedSince.has(thumbprint)) listedSince.set(thumbprint, at)
      const since = listed ? listedSince.get(thumbprint) : undefined
      return { listedSince: since, revokedAt: revokedAt(certificate) }
    }
  const select = (slot: CredentialSlot, view: CatalogueView | undefined, at: Date): Credential =>
    selectCredential(slot, store.of(slot), standing(slot, view, at), at)

  const shown = (at: Date): Credential => {
    const all = store.of(own)
    const now = standing(own, newest, at)
    const faultOf = (credential: Credential): string | undefined =>
      unsuitableBecause(credential, { ...now(credential.certificate), listedSince: at }, at)
    const registered = all.some(
      (one) => unsuitableBecause(one, now(one.certificate), at) === undefined,
    )
    if (registered) return select(own, newest, at)
    // Nobody knows any of them yet: whoever calls is told so by what it refuses.
    return all.find((one) => faultOf(one) === undefined) ?? all[0]!
  }
  const stateOf = (credential: Credential, at: Date): CredentialState => {
    const { kind, owner, certificate } = credential
    const slot = { kind, owner }
    const { subject, thumbprint, notBefore, notAfter } = certificate
    const known = standing(slot, newest, at)
    const fault = unsuitableBecause(credential, known(certificate), at)
    return {
      ...slot,
      ...{ subject, thumbprint, notBefore, notAfter },
      listedSince: known(certificate).listedSince,
      active: fault === undefined && select(slot, newest, at) === credential,
      superseded: store.of(slot)[0] !== credential,
      fault,
    }
  }

  return {
    holdsKeyOf: (member) => store.of({ kind: 'signing', owner: member }).length > 0,
    signing: (member, catalogue, at) => {
      const slot: CredentialSlot = { kind: 'signing', owner: member }
      try {
        return select(slot, catalogue, at)
      } catch (error) {
        // An exchange may last longer than what its snapshot lists.
        if (newest === undefined || newest.number <= catalogue.number) throw error
        return select(slot, newest, at)
      }
    },
    authentication: (at) => (newest === undefined ? shown(at) : select(own, newest, at)),
    shown,
    noteSnapshot: (snapshot) => {
      const now = clock()
      // The first one may have been here, and everywhere, since long ago.
      const since = newest === undefined && snapshot.issuedAt < now ? snapshot.issuedAt : now
      newest = snapshot
      for (const { kind, owner, certificate } of store.all()) {
        const { thumbprint } = certificate
        if (!isListed({ kind, owner }, thumbprint, snapshot)) listedSince.delete(thumbprint)
        else if (!listedSince.has(thumbprint)) listedSince.set(thumbprint, since)
      }
    },
    describe: (at) => store.all().map((credential) => stateOf(credential, at)),
  }
}
