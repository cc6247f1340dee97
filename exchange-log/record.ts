/** What a record of the exchange log says, and the commitment by which it stands in the tree (protocol/README.md §12.2). */
import { hash, randomBytes } from 'node:crypto'
import type { ErrorCode, Origin } from '../protocol/errors.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'

export type Side = 'client' | 'provider'
export type ExchangeKind = 'request' | 'response' | 'refusal'
/** What happens to the log itself is recorded in it. */
export type EventKind = 'erasure' | 'hold' | 'release' | 'query' | 'archive'
/** What is kept of a message beside its manifest: header block and body; the header block; neither. */
export type Keeping = 'full' | 'digest' | 'none'

/** All that is committed to. Absent members are left out of the commitment, so that later versions can add some. */
export interface LogRecord {
  /** Of an event: of the exchange that it is about, or an id of its own. */
  readonly exchangeId: string
  /** Which role this gateway has in the exchange; it has both when a member calls itself. Events have none. */
  readonly side?: Side
  readonly kind: ExchangeKind | EventKind
  /**
   * Position of the record that this run of the pipeline began with; none for that record itself. An
   * exchange id does not tell runs apart: a replayed request has the id of the one it repeats.
   */
  readonly begunAt?: number
  /** When it happened: a request was received, a response or refusal was decided. */
  readonly at: Date
  /** By this gateway's clock, when the record was handed to the store. */
  readonly recordedAt: Date
  readonly client?: string
  readonly service?: string
  readonly method?: string
  readonly target?: string
  readonly messageId?: string
  readonly userId?: string
  /** The case (`X-Road-Issue`). */
  readonly issue?: string
  readonly representedParty?: string
  readonly purpose?: string
  /** The other gateway. */
  readonly peer?: string
  /** Compact JWS, of a request or a response. */
  readonly manifest?: string
  /** Of a request or response: what was kept of it when it was recorded. */
  readonly kept?: Keeping
  readonly bodyBytes?: number
  /** HTTP status that was answered. */
  readonly status?: number
  /** Of a refusal. */
  readonly code?: ErrorCode
  readonly origin?: Origin
  /** Why it was refused; of a request or response: what in it is not as described (protocol/README.md §14). */
  readonly detail?: string
  /** Of an event: who had it done. */
  readonly actor?: string
}

/** What a caller has to say of a record; the log adds when it took it, and what it keeps. */
export type LogEntry = Omit<LogRecord, 'recordedAt' | 'kept'>

/** What a step has to say of an exchange. */
export type ExchangeEntry = LogEntry & { readonly side: Side; readonly kind: ExchangeKind }

export interface StoredRecord extends LogRecord {
  /** Counts from 1, without gaps, in the order of recording; the index of its leaf plus one. */
  readonly position: number
  /** 32 random bytes: without them nobody can try out what a commitment stands for. */
  readonly salt: Buffer
  /** The entry of the tree: SHA-256(salt ‖ {@link recordText}), 32 bytes. */
  readonly commitment: Buffer
}

export const SALT_BYTES = 32

/** The bytes that are committed to: canonical JSON (RFC 8785), times as RFC 3339 in UTC with milliseconds. */
export function recordText(record: LogRecord): string {
  const { at, recordedAt, ...rest } = record
  return canonicalJson({ ...rest, at: at.toISOString(), recordedAt: recordedAt.toISOString() })
}

export function newSalt(): Buffer {
  return randomBytes(SALT_BYTES)
}

export function commitmentOf(salt: Uint8Array, text: string): Buffer {
  return hash('sha256', Buffer.concat([salt, Buffer.from(text)]), 'buffer')
}
