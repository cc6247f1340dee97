/** Reads records out of a database file with the tables of exchange-log/sqlite-rows.ts. */
import { erasuresOf } from './erasures.ts'
import type { ReadOnlyDatabase } from './read-only-database.ts'
import { archivedUpTo } from '../archive/archive-event.ts'
import { toCheckedRecord, toContents, toErasures, toExtent, toNext } from './record-rows.ts'
import { CANONICAL_COLUMNS } from './row-text.ts'
import { UnreadableRecordError, type CheckedRecord, type RecordSource } from './source.ts'

// Whoever can write the file can put anything here, also what is no position, or none that a number can be.
const EXTENT = `SELECT
  min(${Number.MAX_SAFE_INTEGER}, max((SELECT coalesce(max(position), 0) FROM record),
    coalesce((SELECT max(seq) FROM sqlite_sequence
      WHERE name = 'record' AND typeof(seq) = 'integer'), 0))),
  (SELECT min(position) FROM record WHERE position > 0 AND position <= ${Number.MAX_SAFE_INTEGER})`
const NEXT = `SELECT min(position) FROM record WHERE position > ? AND position <= ${Number.MAX_SAFE_INTEGER}`
const RECORDS = `SELECT position, hex(salt), hex(commitment), ${CANONICAL_COLUMNS.join(', ')}
  FROM record WHERE position > ? AND position <= ? ORDER BY position`
const CONTENTS = `SELECT position, (SELECT 1 FROM recordKey AS k WHERE k.position = r.position),
    (SELECT count(*) FROM content WHERE owner = coalesce(staged, r.position))
  FROM record AS r WHERE position > ? AND position <= ? AND kept IN ('full', 'digest')`
const PART = `SELECT bytes FROM content
  WHERE owner = (SELECT coalesce(staged, position) FROM record WHERE position = ?) AND part = ?`
const ERASURES = `SELECT position, detail FROM record
  WHERE kind = 'erasure' AND side IS NULL AND position > ? ORDER BY position`
const NEWEST_ARCHIVE = `SELECT detail FROM record
  WHERE kind = 'archive' AND side IS NULL ORDER BY position DESC LIMIT 1`

export function recordReader(db: ReadOnlyDatabase): RecordSource {
  const erasures = erasuresOf(async (after) => toErasures(db.rows(ERASURES, after)))
  return {
    extent: async () => toExtent(db.row(EXTENT)!),
    records: async (after, upTo) => {
      try {
        return db.rows(RECORDS, after, upTo).map(toChecked)
      } catch (cause) {
        return readSingly(db, after, upTo, cause)
      }
    },
    next: async (after) => toNext(db.row(NEXT, after)!),
    contents: async (after, upTo) => toContents(db.rows(CONTENTS, after, upTo)),
    content: async ({ position, commitment }) => {
      const key = db.row('SELECT wrapped FROM recordKey WHERE position = ?', position)
      if (key === undefined) return undefined
      const part = async (number: number): Promise<Buffer | undefined> => {
        const row = db.row(PART, position, number)
        return row && Buffer.from(row[0] as Uint8Array)
      }
      return {
        wrappedKey: Buffer.from(key[0] as Uint8Array),
        commitment: Buffer.from(commitment),
        part,
      }
    },
    archivedUpTo: async () => archivedUpTo(db.row(NEWEST_ARCHIVE)?.[0]),
    isErased: async ({ position }) => erasures.covers(position),
  }
}

/** Salt and commitment come as text, which costs half of what a blob costs. */
const toChecked = (row: unknown[]): CheckedRecord =>
  toCheckedRecord(row, Buffer.from(row[1] as string, 'hex'), Buffer.from(row[2] as string, 'hex'))

/** Finds the row that cannot be read: a damaged page, or a number that no number is. */
function readSingly(
  db: ReadOnlyDatabase,
  after: number,
  upTo: number,
  cause: unknown,
): CheckedRecord[] {
  for (let position = after + 1; position <= upTo; position += 1) {
    try {
      db.rows(RECORDS, position - 1, position)
    } catch (error) {
      throw new UnreadableRecordError(position, error)
    }
  }
  throw new UnreadableRecordError(after + 1, cause)
}
