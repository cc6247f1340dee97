import type { Endpoint } from './snapshot.ts'

/** Calls that a contract allows, and what of their answers (protocol/README.md §13.1, §13.3). */
export interface ContractEndpoint extends Endpoint {
  /** JSON pointers into answers (RFC 6901), `*` for any one token; absent: all fields. */
  readonly fields?: readonly string[]
}

/** What a client may ask of a service, agreed by both members (protocol/README.md §13.1). */
export interface Contract {
  readonly version: 1
  readonly kind: 'contract'
  /** UUID. */
  readonly id: string
  /** A subsystem or member identifier, or `group:CODE`. */
  readonly client: string
  readonly service: string
  readonly endpoints: readonly ContractEndpoint[]
  /** In ascending order; empty: any purpose, and none. */
  readonly purposes: readonly string[]
  /** RFC 3339, UTC. */
  readonly validFrom: string
  readonly validUntil: string
  readonly quota?: { readonly perSecond?: number; readonly perDay?: number }
  /** Of a request. */
  readonly maxBodyBytes?: number
  /** What happens to fields of answers that `fields` does not have. */
  readonly otherFields: 'refuse' | 'strip'
  readonly user?: 'named' | 'token'
  readonly case?: boolean
  readonly reason: string
  /** Digest of the request or contract that this one answers, narrows or renews. */
  readonly follows?: string
}
