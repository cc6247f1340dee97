/** What the steps need, and nothing of how it is done. Only `server.ts`, and the parts it is built of, know the implementations. */
import type { Readable } from 'node:stream'
import type { Contract } from '../protocol/contract.ts'
import type { HeaderBlock } from '../protocol/header-block.ts'
import type { GatewayId } from '../protocol/identifiers.ts'
import type { Manifest } from '../protocol/manifest.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { CertificateKind } from '../pki/identity.ts'
import type { Clock } from '../runtime/clock.ts'
import type { SpooledBody } from '../runtime/spool.ts'
import type { CatalogueView, GatewayEntry } from './catalogue-view.ts'
import type { Answer, Answered, Grant, Reply, Served, ServedRecorded } from './exchange-state.ts'
import type { MessageContent } from '../exchange-log/content.ts'
import type { ExchangeEntry } from '../exchange-log/record.ts'

export interface Catalogue {
  /**
   * The newest verified snapshot.
   *
   * @throws ExchangeError `catalogue.unavailable`, or `catalogue.expired` with how long ago.
   */
  current(at: Date): CatalogueView
  /**
   * The newest verified snapshot; when it is older than `number`, which another gateway has named, or expired
   * while the machine slept, the catalogue is asked first. Waits two seconds at most, and comes back with what there is.
   *
   * @param number set by the peer, possibly before its signature is checked: a false one costs that wait.
   * @throws ExchangeError as `current` does.
   */
  atLeast(number: number, at: Date): Promise<CatalogueView>
}

export interface Trust {
  /**
   * Verifies chain, validity, purpose and revocation state of a certificate.
   *
   * @throws ExchangeError `certificate.untrusted`, `certificate.issuer-missing`, `certificate.expired`,
   *   `certificate.not-yet-valid`, `certificate.revoked`, `certificate.status-unknown`,
   *   `certificate.status-stale`.
   */
  verify(certificate: Certificate, purpose: CertificateKind, at: Date): Promise<void>
}

/** What is known of this gateway's own clock. */
export interface ClockCheck {
  /**
   * Refuses when the clock is known to be so wrong that every judgement by it would be: costs nothing.
   *
   * @throws ExchangeError `gateway.clock-off` naming gateway, by how much, which way and against whom.
   */
  verify(): void
  /** The same as part of a sentence, for a refusal that may have another clock as its cause. */
  words(): string
}

/** Certificates of information systems, registered at this gateway for a client. */
export interface InformationSystems {
  isRegistered(client: string, thumbprint: string): boolean
}

export interface Signer {
  /** Whether this gateway has a key of a member at all. */
  isSignerOf(member: string): boolean
  /**
   * Checks that others would believe what this gateway signs in a member's name at `at`.
   *
   * @throws ExchangeError `gateway.certificate-inactive`, `gateway.certificate-unsuitable` with what each
   *   certificate lacks; `client.not-served` without a key of that member.
   */
  verifyCanSign(member: string, catalogue: CatalogueView, at: Date): void
  /**
   * Signs in the name of a member, with the certificate that every gateway knows; when there is none that
   * others believe, with any: an answer that was given is theirs to judge.
   *
   * @throws ExchangeError `client.not-served` without a key of that member; KeyError when the key cannot
   *   be used now.
   */
  sign(member: string, manifest: Manifest, catalogue: CatalogueView, at: Date): Promise<string>
}

/** The certificate by which other gateways know this one. */
export interface OwnAuthentication {
  /**
   * Checks that other gateways would believe it at `at`.
   *
   * @throws ExchangeError `gateway.certificate-inactive`, `gateway.certificate-unsuitable`.
   */
  verifyActive(catalogue: CatalogueView, at: Date): void
}

export interface ExchangeLog {
  /**
   * Resolves with the entry's position when it is durable.
   *
   * @param message what the entry's manifest is about; of it the log keeps, encrypted, what the rule of the
   * service says.
   * @throws ExchangeError `log.unavailable`; of a request also `log.unstamped`; `storage.unavailable` when a stored body cannot be read.
   */
  record(entry: ExchangeEntry, message?: MessageContent): Promise<number>

  /**
   * Records the refusal of somebody who is not known. Of a flood of them some are counted only, so that
   * no stranger fills the log.
   *
   * @throws ExchangeError `log.unavailable`.
   */
  recordStranger(entry: ExchangeEntry): Promise<void>
}

export interface Bodies {
  /**
   * Takes in what a request carries, whoever sent it; the size limit is the gateway's.
   *
   * @param signedSize what the manifest says; more is not stored but refused with
   *   `manifest.body-altered`.
   * @throws ExchangeError `request.body-too-large`, `request.body-incomplete`, `request.timeout`,
   *   `storage.unavailable`.
   */
  ofRequest(
    stream: Readable,
    scope: AsyncDisposableStack,
    signedSize?: number,
  ): Promise<SpooledBody>
  /** @throws ExchangeError `provider.answer-incomplete`, `provider.timeout`, `storage.unavailable`. */
  ofReply(stream: Readable, scope: AsyncDisposableStack, signedSize?: number): Promise<SpooledBody>
}

export interface Peers {
  /**
   * Sends a signed request to another gateway, over mTLS with its registered certificate.
   *
   * @throws ExchangeError `provider.unreachable` when it never left us (another gateway may be
   *   tried); `provider.timeout`, `provider.answer-invalid`, `provider.answer-incomplete` when it may
   *   have been carried out; a certificate's code; or the refusal that the provider sent.
   */
  send(gateway: GatewayEntry, message: OutgoingRequest): Promise<Reply>
}
export interface OutgoingRequest {
  readonly method: string
  readonly target: string
  readonly headers: HeaderBlock
  readonly manifest: string
  /** Beside the header block, as the manifest. */
  readonly userToken?: string
  readonly body: SpooledBody
  /** Of the exchange: the reply's stream ends with it at the latest. */
  readonly scope: AsyncDisposableStack
}

export interface ReplayGuard {
  /** True once for each exchange id, also across restarts, as long as its signature is fresh. */
  firstSeen(exchangeId: string, at: Date): boolean
}

export interface AccessRules {
  /** Grants on `service` for any of `subjects`. */
  grantsFor(service: string, subjects: readonly string[]): readonly Grant[]
}

/** What a call says, as far as contracts go by it. */
export interface ContractCall {
  /** Names under which a contract may mean the client: its own, its member's, its groups'. */
  readonly clients: readonly string[]
  readonly service: string
  readonly classification: string | undefined
  readonly method: string
  /** As the service gets it. */
  readonly servicePath: string
  readonly purpose: string | undefined
  readonly userId: string | undefined
  readonly issue: string | undefined
  /** Whether it has a token of the user; what that is worth is not looked at. */
  readonly hasToken: boolean
  readonly bodySize: number
  readonly at: Date
}

export interface Contracts {
  /**
   * The digest of the newest contract that allows a call, by all that the client's side can judge; undefined when
   * no contract covers the service.
   *
   * @throws ExchangeError naming contract and clause when there are contracts, and none of them allows it.
   */
  choose(call: ContractCall): string | undefined
  /** Asks the catalogue for a contract that is not held yet; resolves within 2 s, whether or not it has come. */
  lookFor(digest: string): Promise<void>
  /**
   * Checks a call by the contract that it names (protocol/README.md §13.5), except its token and quota.
   *
   * @throws ExchangeError `contract.*`, `access.*`, `request.body-too-large`.
   */
  verify(digest: string, call: ContractCall): Contract
  /**
   * Checks what the class of the service asks of a call that names no contract.
   *
   * @throws ExchangeError `access.purpose-missing`, `access.user-missing`, `access.case-missing`.
   */
  verifyClass(call: ContractCall): void
}

export interface Quotas {
  /**
   * Counts a call of a contract. Without a quota there is nothing to count.
   *
   * @throws ExchangeError `access.quota-exceeded` with `retryAfterSeconds`; such a call is not counted.
   */
  take(
    contract: { readonly digest: string; readonly id?: string; readonly quota?: Contract['quota'] },
    at: Date,
  ): Promise<void>
}

export interface UserTokens {
  /**
   * Verifies the signed token of a user (protocol/README.md §13.5).
   *
   * @param token of `Spean-User-Token`, set by the information system.
   * @param expected `service` in decoded form, `userId` of the signed request, the client's `member`.
   * @throws ExchangeError `access.token-missing`, `access.token-invalid`.
   */
  verify(
    token: string | undefined,
    expected: {
      readonly service: string
      readonly userId: string | undefined
      readonly member: string
    },
    at: Date,
  ): Promise<void>
}

export interface Services {
  /**
   * Calls the service, or answers a metadata service.
   *
   * @throws ExchangeError one of `service.*`.
   */
  call(exchange: ServedRecorded): Promise<Answer>
}

export interface Validation {
  /**
   * Compares a request with the description of its service, as the service's mode says.
   *
   * @returns what was found and is only reported, as a sentence without values; undefined: nothing.
   * @throws ExchangeError `validation.operation-unknown`, `validation.content-type`, `validation.request-invalid`,
   *   `access.path-ambiguous`, `service.description-missing`, `catalogue.unavailable`.
   */
  request(served: Served): Promise<string | undefined>
  /**
   * Compares an answer with the description, then takes out what the contract does not allow.
   *
   * @returns the answer that may be handed on, and what was found in the service's own.
   * @throws ExchangeError `validation.answer-invalid` and as `request`.
   */
  answer(answered: Answered): Promise<{ answer: Answer; findings: string | undefined }>
}

/** Runs the named steps of one exchange: measures each, and keeps the state it returned last. */
export interface StepRunner {
  <T>(name: string, run: () => Promise<T> | T): Promise<T>
  /** What is known so far: the exchange as it came in, with all that the steps found out. */
  readonly known: object
}

interface Gateway {
  readonly id: GatewayId
  readonly clock: Clock
  readonly clockCheck: ClockCheck
  readonly catalogue: Catalogue
  readonly trust: Trust
  readonly bodies: Bodies
  readonly signer: Signer
  readonly log: ExchangeLog
  readonly begin: (incoming: { readonly exchangeId: string }) => StepRunner
}
/** Everything the client side needs, given once by `main.ts`. */
export interface ClientGateway extends Gateway {
  readonly informationSystems: InformationSystems
  readonly authentication: OwnAuthentication
  readonly peers: Peers
  readonly contracts: Pick<Contracts, 'choose'>
}
/** Everything the provider side needs, given once by `main.ts`. */
export interface ProviderGateway extends Gateway {
  readonly replayGuard: ReplayGuard
  readonly accessRules: AccessRules
  readonly contracts: Pick<Contracts, 'lookFor' | 'verify' | 'verifyClass'>
  readonly quotas: Quotas
  readonly userTokens: UserTokens
  readonly services: Services
  readonly validation: Validation
}
