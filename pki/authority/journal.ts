import type { ErrorCode } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Database } from '../../runtime/sqlite-database.ts'

export type JournalAction =
  | 'authority-made'
  | 'certificate-issued'
  | 'certificate-revoked'
  | 'crl-issued'
  | 'code-made'
  | 'code-used'
  | 'code-removed'
  | 'request-received'
  | 'request-approved'
  | 'request-rejected'
  | 'refused'
  | 'refusals-omitted'

export interface JournalEntry {
  readonly action: JournalAction
  /** What it happened to: a serial number, a code's id, a request's; of a refusal, what was asked. */
  readonly subject: string
  readonly code?: ErrorCode
  /** One sentence. */
  readonly detail?: string
  readonly remoteAddress?: string
  /** Size of what was sent. */
  readonly bytes?: number
}

export interface JournalRecord extends JournalEntry {
  readonly position: number
  readonly at: string
}

/**
 * What the authority did and refused: appended to, never changed, also by whoever holds the file open with
 * this program's schema.
 */
export interface Journal extends Disposable {
  readonly append: (entry: JournalEntry) => void
  /**
   * Records a refusal. Strangers cause these: of one subject no more than sixty in a minute are kept, the
   * rest is counted in one entry.
   */
  readonly refused: (entry: Omit<JournalEntry, 'action'> & { readonly code: ErrorCode }) => void
  /** In their order, those behind a position, up to `limit`. */
  readonly list: (after: number, limit: number) => JournalRecord[]
}

const WINDOW_MS = 60_000
const KEPT_IN_WINDOW = 60
/** Names of a stranger's request may be as long as the request. */
const MAX_DETAIL = 1000

interface Window {
  readonly since: number
  kept: number
  omitted: number
}

/** Entries are on the disk when a call returns. Disposing writes what was only counted. */
export function createJournal(db: Database, clock: Clock): Journal {
  const windows = new Map<string, Window>()
  const append = (entry: JournalEntry): void => {
    const { action, subject, code, detail, remoteAddress, bytes } = entry
    db.run(
      `INSERT INTO journal (at, action, subject, code, detail, remoteAddress, bytes)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      clock().toISOString(),
      action,
      subject,
      code ?? null,
      detail?.slice(0, MAX_DETAIL) ?? null,
      remoteAddress ?? null,
      bytes ?? null,
    )
  }
  const close = (subject: string, { omitted }: Window): void => {
    windows.delete(subject)
    if (omitted === 0) return
    append({
      action: 'refusals-omitted',
      subject,
      detail: `${omitted} more refusals within a minute`,
    })
  }
  return {
    append,
    refused: (entry) => {
      const { subject } = entry
      const now = clock().getTime()
      const last = windows.get(subject)
      // A clock that was set back ends the window too.
      if (last !== undefined && Math.abs(now - last.since) >= WINDOW_MS) close(subject, last)
      const window = windows.get(subject) ?? { since: now, kept: 0, omitted: 0 }
      windows.set(subject, window)
      if (window.kept >= KEPT_IN_WINDOW) window.omitted += 1
      else {
        window.kept += 1
        append({ action: 'refused', ...entry })
      }
    },
    list: (after, limit) =>
      db
        .all<JournalRecord>(
          'SELECT * FROM journal WHERE position > ? ORDER BY position LIMIT ?',
          after,
          limit,
        )
        .map(
          (row) =>
            Object.fromEntries(
              Object.entries(row).filter(([, value]) => value !== null),
            ) as unknown as JournalRecord,
        ),
    [Symbol.dispose]: () => {
      for (const [subject, window] of windows) close(subject, window)
    },
  }
}
