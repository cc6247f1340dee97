import type { Keeping } from '../record.ts'
import type { ContentSource } from '../sealing.ts'
import type { StampStore } from '../stamp-store.ts'
import type { TreeStore } from '../tree-store.ts'
import type { ValidationStore } from '../validation-store.ts'

/** A record as a verification needs it. Whoever can write to the database set all of it. */
export interface CheckedRecord {
  readonly position: number
  readonly salt: Uint8Array
  /** As it is stored. */
  readonly commitment: Uint8Array
  /** The canonical text of what the record says now; undefined when it says what no record can. */
  readonly text: string | undefined
  readonly exchangeId: string
  readonly kind: string
  /** Milliseconds since 1970. */
  readonly recordedAt: number
  readonly kept: Keeping | undefined
  readonly manifest: string | undefined
  readonly detail: string | undefined
}
/** How much of a record's content there is. */
export interface KeptContent {
  readonly hasKey: boolean
  readonly parts: number
}

/** Records in the order of positions, wherever they are. */
export interface RecordSource {
  /** First and last position that should be there; the last is one that was given once. */
  extent(): Promise<{ readonly first: number; readonly last: number }>
  /**
   * Records after a position up to another, oldest first.
   *
   * @throws UnreadableRecordError
   */
  records(after: number, upTo: number): Promise<CheckedRecord[]>
  /** The first position behind another that has a record; undefined: none has. */
  next(after: number): Promise<number | undefined>
  /** Content of the records after a position up to another; those that have none are left out. */
  contents(after: number, upTo: number): Promise<Map<number, KeptContent>>
  /** The encrypted content of a record; undefined when its key is gone. */
  content(record: CheckedRecord): Promise<ContentSource | undefined>
  /** Records up to it were archived, as the log says; 0: none were. */
  archivedUpTo(): Promise<number>
  /** Whether an erasure is recorded that covers a record. */
  isErased(record: CheckedRecord): Promise<boolean>
}

/** All that a log consists of, to be read. Nothing of it is believed. */
export interface LogSource extends AsyncDisposable {
  readonly records: RecordSource
  readonly tree: Pick<TreeStore, 'head' | 'tile' | 'checkpoints'>
  readonly stamps: Pick<StampStore, 'covering' | 'last'>
  readonly validation: Pick<ValidationStore, 'certificate'>
}

/** The log of a gateway, from which records may have been archived. */
export interface LiveSource extends LogSource {
  /** Positions after one up to another whose key is there, also those of records that were archived. */
  readonly keysIn: (after: number, upTo: number) => Promise<ReadonlySet<number>>
}

/** A database is damaged. */
export class UnreadableRecordError extends Error {
  override readonly name = 'UnreadableRecordError'
  /** Where reading failed, as far as that is known. */
  readonly position: number

  constructor(position: number, cause: unknown) {
    super(`the record at ${position} cannot be read (${String(cause)})`, { cause })
    this.position = position
  }
}
