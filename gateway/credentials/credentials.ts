import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { OwnAuthentication } from '../ports.ts'
import type { Credential, CredentialSlot } from './credential.ts'
import type { OwnKnowledge } from './lacks.ts'
import { lackOfCredential, selectCredential, type Selection } from './selection.ts'
import type { CredentialStore } from './store.ts'

/** Which of its credentials a gateway uses at a moment. */
export interface Credentials extends OwnAuthentication {
  /** The newest of a member, good or not; undefined without any key of it. */
  newestSigning(member: string): Credential | undefined
  /**
   * The credential that signs in a member's name so that others believe it.
   *
   * @throws ExchangeError `gateway.certificate-inactive`, `gateway.certificate-unsuitable`.
   */
  signing(member: string, catalogue: CatalogueView, at: Date): Credential
  /** What this gateway shows in handshakes: the best there is, usable or not. */
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
  /** Whether there is a newer one of its kind and owner. */
  readonly superseded: boolean
  /** What keeps others from believing it. */
  readonly lack: string | undefined
}

export function createCredentials(deps: {
  readonly known: OwnKnowledge
  readonly store: Pick<CredentialStore, 'of' | 'all'>
  readonly clock: Clock
}): Credentials {
  const { known, store, clock } = deps
  const own: CredentialSlot = { kind: 'authentication', owner: known.gateway }
  const listedSince = new Map<string, Date>()
  let newest: CatalogueView | undefined

  const selectionOf = (
    slot: CredentialSlot,
    view: CatalogueView | undefined,
    at: Date,
  ): Selection => ({
    slot,
    credentials: store.of(slot),
    known,
    at,
    listedSince: (thumbprint) => {
      if (!isListed(slot, thumbprint, view)) return undefined
      // It was registered before it came here, when no snapshot has been seen since.
      if (!listedSince.has(thumbprint)) listedSince.set(thumbprint, at)
      return listedSince.get(thumbprint)
    },
  })
  /** By a snapshot; or by the newest, because an exchange may last longer than what its own lists. */
  const select = (slot: CredentialSlot, catalogue: CatalogueView, at: Date): Credential => {
    try {
      return selectCredential(selectionOf(slot, catalogue, at))
    } catch (error) {
      if (newest === undefined || newest.number <= catalogue.number) throw error
      return selectCredential(selectionOf(slot, newest, at))
    }
  }
  const bestOf = (slot: CredentialSlot, at: Date): Credential | undefined => {
    const selection = selectionOf(slot, newest, at)
    try {
      return selectCredential(selection)
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      // Nobody knows any of them yet: whoever calls is told so by what it refuses.
      const { credentials } = selection
      const asListed = { ...selection, listedSince: () => at }
      return credentials.find((one) => !lackOfCredential(one, asListed)) ?? credentials[0]
    }
  }
  const stateOf = (credential: Credential, at: Date): CredentialState => {
    const { kind, owner, certificate } = credential
    const slot = { kind, owner }
    const { subject, thumbprint, notBefore, notAfter } = certificate
    const selection = selectionOf(slot, newest, at)
    const lack = lackOfCredential(credential, selection)
    return {
      ...slot,
      ...{ subject, thumbprint, notBefore, notAfter },
      listedSince: selection.listedSince(thumbprint),
      active: lack === undefined && bestOf(slot, at) === credential,
      superseded: selection.credentials[0] !== credential,
      lack: lack?.words,
    }
  }

  return {
    newestSigning: (member) => store.of({ kind: 'signing', owner: member })[0],
    signing: (member, catalogue, at) => select({ kind: 'signing', owner: member }, catalogue, at),
    verifyActive: (catalogue, at) => void select(own, catalogue, at),
    shown: (at) => bestOf(own, at)!,
    noteSnapshot: (snapshot) => {
      const now = clock()
      // The first one may have been here, and everywhere, since long ago.
      const since = newest === undefined && snapshot.issuedAt < now ? snapshot.issuedAt : now
      newest = snapshot
      const held = new Set(store.all().map(({ certificate }) => certificate.thumbprint))
      for (const thumbprint of listedSince.keys()) {
        if (!held.has(thumbprint)) listedSince.delete(thumbprint)
      }
      for (const { kind, owner, certificate } of store.all()) {
        const { thumbprint } = certificate
        if (!isListed({ kind, owner }, thumbprint, snapshot)) listedSince.delete(thumbprint)
        else if (!listedSince.has(thumbprint)) listedSince.set(thumbprint, since)
      }
    },
    describe: (at) => store.all().map((credential) => stateOf(credential, at)),
  }
}

function isListed(
  { kind, owner }: CredentialSlot,
  thumbprint: string,
  view: CatalogueView | undefined,
): boolean {
  return kind === 'signing'
    ? view?.signingCertificate(owner, thumbprint) !== undefined
    : view?.gateway(owner)?.certificates.has(thumbprint) === true
}
