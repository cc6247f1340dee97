/** A token that covers records of the exchange log. */
export interface LogStamp {
  /** Positions of the log, both included. */
  readonly first: number
  readonly last: number
  /** DER of the token (RFC 3161 §2.4.2). */
  readonly token: Buffer
  /** What the token says. */
  readonly genTime: Date
  readonly serial: string
  /** Name of the authority in the catalogue. */
  readonly authority: string
  /** When this gateway kept it. */
  readonly at: Date
}

/**
 * Where a gateway keeps the time-stamps of its exchange log. There is deliberately no update and no
 * delete. Several processes may read; one writes.
 */
export interface StampStore extends Disposable {
  /**
   * Keeps a token. When this returns, it survives a power cut; when it throws, it is not in the store.
   *
   * @throws StampStoreError also when it does not begin behind the one before: no record is covered twice or left out.
   */
  add(stamp: LogStamp): void

  /** The newest, and with it the last position that is covered. */
  last(): LogStamp | undefined

  /** The one that covers a position. */
  covering(position: number): LogStamp | undefined

  /** Newest first, only those that begin before `before`, at most `limit` of them. */
  list(query: { readonly before?: number; readonly limit: number }): LogStamp[]
}

/** The store cannot keep or find. The message is for the operator. */
export class StampStoreError extends Error {
  override readonly name = 'StampStoreError'
}
