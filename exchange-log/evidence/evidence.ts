import type { Readable } from 'node:stream'
import type { StoredRecord } from '../record.ts'
import type { LogStamp } from '../stamp-store.ts'
import type { StoredCheckpoint } from '../tree-store.ts'
import type { Absence, ChainName, ExchangeDescription, MessageName, PartName } from './layout.ts'

/** What is proved of one record. */
export interface EvidenceRecord {
  readonly part: PartName
  readonly record: StoredRecord
  /** C2SP tlog-proof; undefined while no checkpoint covers the record. */
  readonly proof: string | undefined
}
/** A signed message, as far as it was kept. */
export interface EvidenceMessage {
  readonly part: MessageName
  /** Compact JWS. */
  readonly manifest: string
  readonly jades: string
  /** RFC 3161 token over the signature; undefined when there is none. */
  readonly signatureToken: Buffer | undefined
  readonly headers: Buffer | undefined
  readonly body: EvidenceBody | undefined
}
export interface EvidenceBody {
  readonly size: number
  /** Opens it once more; in constant memory. */
  readonly open: () => Promise<Readable>
}
export interface EvidenceChain {
  readonly name: ChainName
  /** DER, leaf first, root last. */
  readonly certificates: readonly Buffer[]
  /** DER by place in the chain. */
  readonly ocsp: ReadonlyMap<number, Buffer>
}

/** All that an archive is written from. */
export interface Evidence {
  readonly description: ExchangeDescription
  readonly records: readonly EvidenceRecord[]
  readonly messages: readonly EvidenceMessage[]
  readonly chains: readonly EvidenceChain[]
  readonly checkpoint: StoredCheckpoint | undefined
  /** The checkpoint as a note with its cosignatures; undefined without checkpoint. */
  readonly checkpointNote: string | undefined
  readonly stamp: LogStamp | undefined
  /** C2SP tlog-policy. */
  readonly policy: string
  readonly absent: readonly Absence[]
}

/** A record or its content is not what it was when it was recorded. The message is for the operator. */
export class EvidenceSourceError extends Error {
  override readonly name = 'EvidenceSourceError'
}
