/** Why something was not archived; it stands in status, metrics' labels and `spean log archives`. */
export type ArchiveFault =
  /** No checkpoint that is time-stamped or witnessed covers the records yet. */
  | 'archive.unsealed'
  /** What is in the place is not what was put there. */
  | 'archive.altered'
  /** What was written does not verify: the log was altered before. */
  | 'archive.unverified'
  /** It is not in the place. */
  | 'archive.missing'
  /** The place refuses: credentials, rights, bucket. */
  | 'archive.refused'
  /** The place does not answer, or says that it cannot now. */
  | 'archive.unavailable'
  /** The disk does not take it, or does not give it. */
  | 'archive.disk'

/** Nothing can be archived, or what was written is not what it must be. Nothing was removed then. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly code: ArchiveFault

  constructor(code: ArchiveFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What a disk says, as an ArchiveError; everything else as it is. */
export function asArchiveError(cause: unknown, what: string): unknown {
  if (!(cause instanceof Error)) return cause
  const { code, syscall } = cause as NodeJS.ErrnoException
  if (code !== 'ERR_SQLITE_ERROR' && syscall === undefined) return cause
  return new ArchiveError('archive.disk', `${what}: ${cause.message}`, { cause })
}
