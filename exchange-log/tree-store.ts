/** A run of hashes of one tile, as wide as the tile was when it was written (tlog-tiles, "Partial Tiles"). */
export interface TileWrite {
  /** 0: leaf hashes; 1: hashes of full tiles of level 0; and so on. */
  readonly level: number
  readonly index: number
  /** 1 to 256 hashes of 32 bytes. */
  readonly hashes: Buffer
}
export interface StoredCheckpoint {
  readonly size: number
  readonly rootHash: Buffer
  /** The signed note, with the log's own signatures only. */
  readonly note: string
  readonly at: Date
  /** Signature lines of witnesses, without newline, in the order in which they came. */
  readonly cosignatures: readonly string[]
  /** When the cosignatures were enough by the policy of that moment; undefined: they never were. */
  readonly witnessedAt?: Date
}

/**
 * Where a log keeps its tree: tiles and checkpoints. All of it can be made again from the records, but for the
 * signatures: a checkpoint that was signed must never be followed by one of another tree.
 *
 * Several processes may read and write: of two that advance from the same size, one wins.
 */
export interface TreeStore extends AsyncDisposable {
  /** The newest checkpoint; undefined before the first. */
  head(): Promise<StoredCheckpoint | undefined>

  /**
   * Replaces tiles by wider ones and adds a checkpoint, all or nothing; durable when it resolves.
   *
   * @param from the size of the head that the tiles were made from; 0 when there was none.
   * @returns false, and nothing is changed, when the head is another one by now.
   * @throws TreeStoreError
   */
  advance(from: number, tiles: readonly TileWrite[], checkpoint: StoredCheckpoint): Promise<boolean>

  /** The widest state of a tile: 1 to 256 hashes; undefined when there is none. */
  tile(level: number, index: number): Promise<Buffer | undefined>

  /** The checkpoint of exactly this size. */
  checkpoint(size: number): Promise<StoredCheckpoint | undefined>

  /**
   * The smallest checkpoint of at least `size` leaves.
   *
   * @param witnessed only those with enough cosignatures.
   */
  covering(
    size: number,
    options?: { readonly witnessed?: boolean },
  ): Promise<StoredCheckpoint | undefined>

  /** The newest checkpoint with enough cosignatures. */
  witnessedHead(): Promise<StoredCheckpoint | undefined>

  /** Checkpoints of more than `size` leaves, smallest first, at most `limit`. */
  checkpoints(size: number, limit: number): Promise<StoredCheckpoint[]>

  /** Adds cosignatures to a checkpoint; a line that is there stays single. Nothing when the checkpoint is gone. */
  addCosignatures(size: number, lines: readonly string[], witnessedAt?: Date): Promise<void>

  /**
   * Removes checkpoints older than `before`, but for the head, the sizes to keep, and the newest witnessed one.
   *
   * @param from those older than this are not looked at; absent: all are.
   */
  thin(before: Date, keep: ReadonlySet<number>, from?: Date): Promise<void>
}

/** The tree cannot be read or written. The message is for the operator. */
export class TreeStoreError extends Error {
  override readonly name = 'TreeStoreError'
}
