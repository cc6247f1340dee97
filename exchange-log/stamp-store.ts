/** A token over a checkpoint of the log: RFC 3161, about {@link checkpointText}. */
export interface LogStamp {
  /** Tree size of the checkpoint: positions up to it are covered. */
  readonly size: number
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
 * delete. Several processes may read and write.
 */
export interface StampStore extends AsyncDisposable {
  /**
   * Keeps a token. When this resolves, it survives a power cut; when it rejects, it is not in the store.
   *
   * @returns false, and nothing is kept, when there is one of this size or a larger one already.
   * @throws StampStoreError
   */
  add(stamp: LogStamp): Promise<boolean>

  /** The newest, and with it the last position that is covered. */
  last(): Promise<LogStamp | undefined>

  /** The first one that covers a position: the smallest size from `position` on. */
  covering(position: number): Promise<LogStamp | undefined>

  /** Newest first, only those of a smaller size than `before`, at most `limit` of them. */
  list(query: { readonly before?: number; readonly limit: number }): Promise<LogStamp[]>
}

/** The store cannot keep or find. The message is for the operator. */
export class StampStoreError extends Error {
  override readonly name = 'StampStoreError'
}
