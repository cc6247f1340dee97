import {
  partiesOf,
  type Contract,
  type ContractParties,
  type ContractStatement,
} from '../../protocol/contract.ts'
import { unsignedDocument, type SignedDocument } from '../../protocol/contract-jws.ts'
import { isNoWider, widerClauses } from '../../protocol/contract-scope.ts'
import { ExchangeError, refusedAs } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { isOver } from './clauses.ts'
import type { ContractSigning } from './signing.ts'
import type { ContractStore, HeldContract } from './store.ts'

/** What a person says of a contract that is to be made. */
export type ContractTerms = Omit<Contract, 'version' | 'kind' | 'id' | 'follows'>
export type ContractChanges = Partial<Omit<ContractTerms, 'client' | 'service' | 'reason'>>

/** What is done about contracts in the name of our members. */
export interface Agreements {
  /** A request when the client is ours, else an offer. @throws ExchangeError `admin.invalid`. */
  request(terms: ContractTerms): Promise<HeldContract>
  /** Signs for those of ours who have not. */
  approve(held: HeldContract): Promise<HeldContract>
  /** The provider's answer with less. @throws ExchangeError `admin.invalid` naming clauses that would be wider. */
  narrow(held: HeldContract, changes: ContractChanges, reason: string): Promise<HeldContract>
  refuse(held: HeldContract, reason: string): Promise<HeldContract>
  revoke(held: HeldContract, reason: string): Promise<HeldContract>
  /** The same for another time. */
  renew(
    held: HeldContract,
    time: Pick<Contract, 'validFrom' | 'validUntil'>,
    reason: string,
  ): Promise<HeldContract>
  /** Signs offers that are no wider than what our members asked for. */
  signExpected(): Promise<void>
}

export function createAgreements(deps: {
  readonly store: ContractStore
  readonly signing: ContractSigning
  readonly clock: Clock
  readonly logger: Logger
  /** There is something to hand in. */
  readonly onMade: () => void
}): Agreements {
  const { store, signing, clock, logger, onMade } = deps
  const keep = (document: SignedDocument, about: string): HeldContract => {
    store.put(document, 'own')
    onMade()
    const { kind } = document.content
    logger.info({ kind, contract: about }, 'contract document signed')
    return store.byDigest(about)!
  }
  const make = async (content: Contract, signers: readonly string[]): Promise<HeldContract> => {
    let document: SignedDocument<Contract> | undefined
    const unsigned = readable(content)
    for (const signer of signers) document = await signing.sign(document ?? unsigned, signer)
    return keep(document!, document!.digest)
  }
  const state = async (
    held: HeldContract,
    kind: ContractStatement['kind'],
    reason: string,
    by: string,
  ): Promise<HeldContract> => {
    const content = { version: 1, kind, contract: held.digest, reason } as const
    return keep(await signing.sign(readable<ContractStatement>(content), by), held.digest)
  }
  const ours = ({ client, provider }: ContractParties): string[] =>
    [client, provider].filter((m) => m !== undefined).filter((m) => signing.isSignerOf(m))
  const needProvider = ({ content }: HeldContract): string => {
    const { provider } = partiesOf(content)
    if (signing.isSignerOf(provider)) return provider
    throw new ExchangeError('contract.conflict', `this is for ${provider} to say`)
  }
  const approve = async (held: HeldContract): Promise<HeldContract> => {
    refuseEnded(store, held, clock())
    const signed = new Set(held.signers.map(({ member }) => member))
    const missing = ours(partiesOf(held.content)).filter((member) => !signed.has(member))
    if (held.isAgreed || missing.length === 0) {
      const what = held.isAgreed ? 'is in force' : 'waits for the other member'
      throw new ExchangeError('contract.conflict', `contract ${held.content.id} ${what}`)
    }
    let document = store.document(held.digest)!
    for (const member of missing) document = await signing.sign(document, member)
    return keep(document, held.digest)
  }
  return {
    request: async (terms) => {
      const content = { ...terms, version: 1, kind: 'contract', id: crypto.randomUUID() } as const
      readable(content)
      const { client, provider } = partiesOf(content)
      const signer = [client, provider].find((m) => m !== undefined && signing.isSignerOf(m))
      if (signer !== undefined) return make(content, [signer])
      const detail = `/client: this gateway signs for neither ${terms.client} nor ${provider}`
      throw new ExchangeError('admin.invalid', detail)
    },
    approve,
    narrow: async (held, changes, reason) => {
      const provider = needProvider(held)
      refuseEnded(store, held, clock())
      const id = crypto.randomUUID()
      const content = { ...held.content, ...changes, id, follows: held.digest, reason }
      const wider = widerClauses(content, held.content)
      if (wider.length === 0) return make(content, [provider])
      const detail = `${wider.map((clause) => `/${clause}`).join(', ')}: wider than in ${held.content.id}`
      throw new ExchangeError('admin.invalid', detail)
    },
    refuse: (held, reason) => {
      const provider = needProvider(held)
      if (held.isAgreed) {
        const detail = `contract ${held.content.id} is signed by both: revoke it`
        throw new ExchangeError('contract.conflict', detail)
      }
      refuseEnded(store, held, clock())
      return state(held, 'refusal', reason, provider)
    },
    revoke: (held, reason) => {
      const { id } = held.content
      const [by] = ours(partiesOf(held.content))
      if (by === undefined) throw new ExchangeError('contract.conflict', `${id} is not ours`)
      if (!held.isAgreed) {
        throw new ExchangeError(
          'contract.conflict',
          `${id} is not signed by both: nothing to revoke`,
        )
      }
      if (held.statement?.kind === 'revocation') {
        throw new ExchangeError('contract.conflict', `contract ${id} is revoked already`)
      }
      return state(held, 'revocation', reason, by)
    },
    renew: (held, time, reason) => {
      const [signer] = ours(partiesOf(held.content))
      if (!held.isAgreed || signer === undefined) {
        const detail = `contract ${held.content.id} is not one of ours that is signed by both`
        throw new ExchangeError('contract.conflict', detail)
      }
      const id = crypto.randomUUID()
      return make({ ...held.content, ...time, id, reason, follows: held.digest }, [signer])
    },
    signExpected: async () => {
      for (const offer of store.openAnswers(clock())) {
        if (isExpected(store, offer, signing, clock())) await approve(offer)
      }
    },
  }
}

/** An offer that follows our own request and gives no more (protocol/README.md §13.2). */
function isExpected(
  store: ContractStore,
  offer: HeldContract,
  signing: ContractSigning,
  at: Date,
): boolean {
  const { follows } = offer.content
  if (offer.isAgreed || offer.statement || follows === undefined || isOver(offer, at)) return false
  const { client, provider } = partiesOf(offer.content)
  const request = store.byDigest(follows)
  if (client === undefined || request === undefined || request.isAgreed) return false
  return (
    signing.isSignerOf(client) &&
    request.statement === undefined &&
    request.signers.some(({ member }) => member === client) &&
    offer.signers.some(({ member }) => member === provider) &&
    isNoWider(offer.content, request.content)
  )
}

function refuseEnded(store: ContractStore, held: HeldContract, at: Date): void {
  const { content, statement, digest } = held
  const conflict = (what: string): ExchangeError =>
    new ExchangeError('contract.conflict', `contract ${content.id} ${what}`)
  if (statement) throw conflict(`has a ${statement.kind} by ${statement.by}: ${statement.reason}`)
  if (isOver(held, at)) throw conflict(`ended at ${content.validUntil}`)
  const answer = held.isAgreed ? undefined : store.answerTo(digest)
  if (answer) throw conflict(`was answered with ${answer.content.id}`)
}

/** What a person wrote that is no contract. */
function readable<T extends Contract | ContractStatement>(
  content: T,
): Omit<SignedDocument<T>, 'signatures'> {
  return refusedAs('admin.invalid', undefined, () => unsignedDocument(content))
}
