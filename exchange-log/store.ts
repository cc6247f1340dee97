import type { ErrorCode, Origin } from '../protocol/errors.ts'
import type { EventKind, LogRecord, Side, StoredRecord } from './record.ts'

/** A record ready to be stored. Its content is sealed already: the store never sees what is in it. */
export interface SealedRecord {
  readonly record: LogRecord
  readonly salt: Buffer
  readonly commitment: Buffer
  readonly content?: SealedContent
  /**
   * With it the record is taken only when there is none of the same exchange id, side and kind that was recorded
   * since: of several processes that share a log one takes an exchange, and the others hear of it.
   */
  readonly onceSince?: Date
}
/** The encrypted header block and body of a message; `exchange-log/sealing.ts` knows what the parts are. */
export type SealedContent = {
  /** The key of the parts, encrypted; gone after an erasure. */
  readonly wrappedKey: Buffer
} & ({ readonly parts: readonly Buffer[] } | { readonly staged: number })

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
  readonly userId?: string
  readonly issue?: string
  readonly purpose?: string
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
  readonly userId?: string
  readonly issue?: string
  readonly purpose?: string
  readonly outcome?: Outcome
  /** Error code. */
  readonly code?: string
  /** Exchange id, or the client's own message id. */
  readonly id?: string
  /**
   * Members, subsystems or services: only exchanges whose client or service is one of these or below it
   * (`KH/GOV/MOI` has `KH/GOV/MOI/REGISTER`, not `KH/GOV/MOI2`). Absent: all; empty: none.
   */
  readonly within?: readonly string[]
  /** Only entries before this position: where the page before ended. */
  readonly before?: number
  /** 1 to 1000. */
  readonly limit: number
}

/**
 * A record whose content is still there: what tells whether it may, or must, be erased. What only the beginning of
 * a run says (its time, user, case) is also that of its answer.
 */
export interface ContentOwner {
  readonly position: number
  readonly exchangeId: string
  readonly at: Date
  readonly client?: string
  readonly service?: string
  readonly userId?: string
  readonly issue?: string
}
/** All that is given must fit. */
export interface ContentQuery {
  readonly exchangeId?: string
  readonly positions?: readonly number[]
  /** Only positions behind this one. */
  readonly after?: number
  /** Absent: oldest first. */
  readonly newestFirst?: boolean
  readonly limit: number
}

/** How much there is. */
export interface LogExtent {
  /** Position of the newest record; 0 when there is none. */
  readonly last: number
  /** Lowest position that is still here: those before were archived; 1 in a log that was never cut. */
  readonly first: number
  /** What the records and their content take on disk. */
  readonly bytes: number
}

/**
 * Where a gateway keeps its exchange log. Records are added, and never changed; whole periods leave when they are
 * archived, and the content of a record goes when it is erased.
 *
 * **Order.** Positions count from 1 without gaps, also across processes and restarts, and no position is given
 * twice. A record that can be read is never joined later by one of a lower position. Calls of one process are
 * stored in the order in which they were made.
 *
 * **Several processes** may read and append at once.
 */
export interface ExchangeLogStore extends AsyncDisposable {
  /**
   * Writes a record. When this resolves, record, content and key survive a power cut; when it rejects, the caller
   * must take it that the record may or may not be there (an answer of the database can be lost), and it is there
   * at most once. Calls at the same time share one commit. The bytes of the content are the store's from now on.
   *
   * @returns its position.
   * @throws AlreadyRecordedError for a record that is to be there once, and is.
   * @throws LogStoreError; a later call may succeed, once the disk has room or the database is back.
   */
  append(record: SealedRecord): Promise<number>

  /**
   * Writes one part of content that is too large to be held in memory, before the record that it belongs to.
   * Durable when it resolves. What no record names later is swept when the store is opened by its only writer.
   * The bytes are the store's from now on.
   *
   * @param staged a number that the caller drew at random, 1 to 2^53 - 1.
   * @param part counts from 0.
   * @throws LogStoreError
   */
  stage(staged: number, part: number, bytes: Buffer): Promise<void>

  /**
   * Takes back what was staged, when there will be no record: the next one may need the room. What a record names
   * stays.
   *
   * @throws LogStoreError
   */
  unstage(staged: number): Promise<void>

  /** Exchanges that match, newest first. Sees every append that has resolved. Events are no exchanges. */
  list(query: LogQuery): Promise<ExchangeSummary[]>

  /** All records with an exchange id, events included, oldest first; empty when there is none. */
  entries(exchangeId: string): Promise<StoredRecord[]>

  /**
   * Events of some kinds after a position, oldest first, at most `limit`. Holds, their releases and
   * archives are among them also when they were archived themselves: they hold on.
   */
  events(kinds: readonly EventKind[], after: number, limit: number): Promise<StoredRecord[]>

  /** Records after a position, oldest first, at most `limit` of them. */
  after(position: number, limit: number): Promise<StoredRecord[]>

  /** The commitments after a position, oldest first, at most `limit`; those of one answer are neighbours. */
  commitments(position: number, limit: number): Promise<Buffer[]>

  /** The wrapped key of a record's content; undefined when there is no content, or it was erased. */
  wrappedKey(position: number): Promise<Buffer | undefined>

  /** Records with content, those that were archived with their key here included. Sees every append that has resolved. */
  contents(query: ContentQuery): Promise<ContentOwner[]>

  /** One part of a record's content; undefined behind the last, and after an erasure. */
  contentPart(position: number, part: number): Promise<Buffer | undefined>

  /**
   * Destroys the keys and the content of records: when this resolves, neither is in the database, nor in its
   * write-ahead log, as far as the database can promise that. Nothing happens where there is none. The records
   * stay. As long as it has not resolved, {@link contents} may still name those that are left.
   *
   * @throws LogStoreError; it may be called again.
   */
  erase(positions: readonly number[]): Promise<void>

  /**
   * Removes the records up to a position, which were archived, and their content. Keys stay, for the archive.
   *
   * @throws LogStoreError also when that is not the end of a period that can be removed as a whole.
   */
  removeUpTo(position: number): Promise<void>

  extent(): Promise<LogExtent>

  /** Exchange ids of requests recorded on the provider side since `since`. */
  servedSince(since: Date): Promise<string[]>
}

/** Nothing was recorded, and nothing is wrong: the same was recorded before. */
export class AlreadyRecordedError extends Error {
  override readonly name = 'AlreadyRecordedError'
}

/** The store cannot write or read. The message is for the operator: it may name files. */
export class LogStoreError extends Error {
  override readonly name = 'LogStoreError'
}
