import type { ErrorCode, Origin } from '../../protocol/errors.ts'

export type Side = 'client' | 'provider'

/** One entry of the exchange log. Bodies and header blocks are bound by digest in the manifest. */
export interface LogEntry {
  readonly exchangeId: string
  /** Which role this gateway has in the exchange; it has both when a member calls itself. */
  readonly side: Side
  readonly kind: 'request' | 'response' | 'refusal'
  /**
   * Position of the entry that this run of the pipeline began with; none for that entry itself. An
   * exchange id does not tell runs apart: a replayed request has the id of the one it repeats.
   */
  readonly begunAt?: number
  readonly at: Date
  readonly client?: string
  readonly service?: string
  readonly method?: string
  readonly target?: string
  readonly messageId?: string
  /** The other gateway. */
  readonly peer?: string
  /** Compact JWS, of a request or a response. */
  readonly manifest?: string
  /** HTTP status that was answered. */
  readonly status?: number
  /** Of a refusal. */
  readonly code?: ErrorCode
  readonly origin?: Origin
  readonly detail?: string
}
export interface StoredEntry extends LogEntry {
  /** Counts from 1, in the order of recording. */
  readonly position: number
}

/** `unanswered`: recorded, and then nothing; the gateway or the line broke, or it is under way. */
export type Outcome = 'ok' | 'error' | 'refused' | 'unanswered'

/** One exchange as a list shows it. */
export interface ExchangeSummary {
  readonly position: number
  readonly exchangeId: string
  readonly side: Side
  readonly at: Date
  readonly endedAt?: Date
  readonly client?: string
  readonly service?: string
  readonly method?: string
  readonly target?: string
  readonly messageId?: string
  readonly peer?: string
  readonly status?: number
  readonly outcome: Outcome
  readonly code?: ErrorCode
  readonly origin?: Origin
}
export interface LogQuery {
  readonly from?: Date
  readonly to?: Date
  /** Identifiers, whole or as a prefix that ends with `*`. */
  readonly client?: string
  readonly service?: string
  readonly outcome?: Outcome
  /** Error code. */
  readonly code?: string
  /** Exchange id, or the client's own message id. */
  readonly id?: string
  /** Only entries before this position: where the page before ended. */
  readonly before?: number
  /** 1 to 1000. */
  readonly limit: number
}

/**
 * Where a gateway keeps its exchange log. There is deliberately no update and no delete.
 *
 * Entries get positions in the order in which `append` was called in one process. Several processes
 * may read; one writes.
 */
export interface ExchangeLogStore extends AsyncDisposable {
  /**
   * Writes an entry. When this resolves, the entry survives a power cut; when it rejects, the entry
   * is not in the log. Calls at the same time share one commit.
   *
   * @throws LogStoreError; a later call may succeed, once the disk has room or the lock is gone.
   */
  append(entry: LogEntry): Promise<number>

  /** Exchanges that match, newest first. Sees every append that has resolved. */
  list(query: LogQuery): Promise<ExchangeSummary[]>

  /** All entries of one exchange, oldest first; empty when there is none. */
  entries(exchangeId: string): Promise<StoredEntry[]>

  /**
   * Entries after a position, oldest first, at most `limit` of them. What was read once is the beginning
   * of what is read later: entries of lower positions do not appear afterwards.
   */
  after(position: number, limit: number): Promise<StoredEntry[]>

  /** Exchange ids of requests recorded on the provider side since `since`. */
  servedSince(since: Date): Promise<string[]>
}

/** The store cannot write or read. The message is for the operator: it may name files. */
export class LogStoreError extends Error {
  override readonly name = 'LogStoreError'
}
