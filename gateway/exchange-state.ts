/**
 * What is known of an exchange after each step. A step takes one of these and returns a later one:
 * a step that needs a recorded request cannot be given one that is not.
 */
import type { Readable } from 'node:stream'
import type { Contract } from '../protocol/contract.ts'
import type { HeaderBlock } from '../protocol/header-block.ts'
import type { CallHeaders } from '../protocol/headers.ts'
import type { ClientId } from '../protocol/identifiers.ts'
import type { RequestManifest, ResponseManifest } from '../protocol/manifest.ts'
import type { Method } from '../protocol/methods.ts'
import type { Endpoint } from '../protocol/snapshot.ts'
import type { Target } from '../protocol/target.ts'
import type { SpooledBody } from '../runtime/spool.ts'
import type { CatalogueView, GatewayEntry } from './catalogue-view.ts'

/** An HTTP request as it came in; everything in it is set by the caller and unchecked. */
export interface Incoming {
  readonly exchangeId: string
  readonly receivedAt: Date
  readonly method: string | undefined
  readonly rawTarget: string
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
  readonly stream: Readable
  /** DER of the TLS client certificate. Its key is proven; what it is worth is not. */
  readonly certificate: Buffer | undefined
  /** Disposed when the answer is out: holds the bodies. */
  readonly scope: AsyncDisposableStack
}

// Client gateway

export interface Asked extends Incoming {
  /** Whether the information system came by TLS; by plain HTTP it is believed (sandbox). */
  readonly overTls: boolean
}
export interface Read extends Asked {
  readonly method: Method
  readonly target: Target
  readonly call: CallHeaders
  readonly headers: HeaderBlock
  readonly messageId: string
  /** For the provider's gateway alone. */
  readonly userToken?: string
}
export interface Identified extends Read {
  readonly client: ClientId
  readonly catalogue: CatalogueView
}
export interface Resolved extends Identified {
  /** Gateways that offer the service, the preferred one first. */
  readonly gateways: readonly GatewayEntry[]
}
export interface Complete extends Resolved {
  readonly body: SpooledBody
}
export interface RequestSigned extends Complete {
  readonly request: RequestManifest
  readonly requestJws: string
}
/** The request is in the exchange log, at this position. */
export interface Recorded {
  readonly position: number
}
export interface RequestRecorded extends RequestSigned, Recorded {}
/** The head of an answer, as another gateway sent it, unverified. */
export interface Reply {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly stream: Readable
}
export interface Replied extends RequestRecorded {
  readonly peer: GatewayEntry
  readonly reply: Reply
}
/** A message on its way out. */
export interface Answer {
  readonly status: number
  readonly headers: HeaderBlock
  readonly body: SpooledBody
}
export interface ResponseVerified extends Replied {
  readonly response: ResponseManifest
  readonly responseJws: string
  readonly answer: Answer
}
export interface ResponseRecorded {
  readonly answer: Answer
  readonly responseJws: string
  readonly responsePosition: number
}

// Provider gateway

export interface Received extends Incoming {
  /** The id in the manifest that came, nothing of which is verified. */
  readonly claimedExchangeId?: string
  /** The snapshot that it names, as little verified. */
  readonly claimedSnapshot?: number
}
export interface Authenticated extends Received {
  readonly peer: GatewayEntry
  readonly catalogue: CatalogueView
}
export interface Verified extends Authenticated {
  readonly client: ClientId
  readonly target: Target
  readonly headers: HeaderBlock
  readonly request: RequestManifest
  readonly requestJws: string
}
/** Not a replay: this is the first time that the exchange id was presented. */
export interface Fresh extends Verified {
  readonly firstSeen: true
}
export interface Permitted extends Fresh {
  /** Undefined for metadata services, which every client of the instance may ask, and under a contract. */
  readonly grant: Grant | undefined
  /** The contract that the call names; absent when a grant lets it pass. */
  readonly contract?: Contract
}
export interface Served extends Permitted {
  readonly body: SpooledBody
}
/** The request was compared with the description of its service. */
export interface Validated extends Served {
  /** What was found and let pass, as a sentence without values. */
  readonly findings: string | undefined
}
export interface ServedRecorded extends Validated, Recorded {}
export interface Answered extends ServedRecorded {
  readonly answer: Answer
}
/** The answer is what may be handed on, of what the service said. */
export interface AnswerValidated extends Answered {
  readonly answerValidated: true
}
export interface ResponseSigned extends AnswerValidated {
  readonly response: ResponseManifest
  readonly responseJws: string
}

/** What a provider allows: who may call which endpoints of a service. */
export interface Grant {
  readonly id: string
  /** A subsystem or member identifier, or `group:CODE`. */
  readonly subject: string
  readonly service: string
  readonly endpoints: Endpoint[]
  readonly grantedAt: Date
}
