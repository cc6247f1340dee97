import { createHash } from 'node:crypto'
import { ConfigError } from '../../runtime/config.ts'
import { stampReader, treeReader, validationReader } from '../verify/folder-source.ts'
import { openReadOnly, type ReadOnlyDatabase } from '../verify/read-only-database.ts'
import { recordReader } from '../verify/record-reader.ts'
import type { LogSource, RecordSource } from '../verify/source.ts'
import { ARCHIVE_VERSION, contentLine, type ArchiveRange } from './archive-file.ts'

/** An archive, to be read and verified by itself. */
export interface ArchiveSource extends LogSource {
  readonly range: ArchiveRange
  /** Whether the encrypted content is the one that was archived. Reads all of it. */
  hasAllContent(): boolean
  /** One part of a record's content, encrypted as it is. */
  part(position: number, part: number): Buffer | undefined
}

/** @throws ConfigError when the file is no archive. */
export function openArchiveSource(file: string): ArchiveSource {
  const db = openReadOnly(file)
  try {
    const { first, last, contentDigest } = readRange(db, file)
    return {
      range: { first, last },
      records: recordsOf(db, { first, last }),
      tree: treeReader(db),
      stamps: stampReader(db),
      validation: validationReader(db),
      hasAllContent: () => digestOf(db) === contentDigest,
      part: (position, part) => {
        const row = db.row('SELECT bytes FROM content WHERE owner = ? AND part = ?', position, part)
        return row && Buffer.from(row[0] as Uint8Array)
      },
      [Symbol.asyncDispose]: async () => db[Symbol.dispose](),
    }
  } catch (error) {
    db[Symbol.dispose]()
    throw error
  }
}

function readRange(
  db: ReadOnlyDatabase,
  file: string,
): ArchiveRange & { readonly contentDigest: string } {
  try {
    if (db.row('PRAGMA user_version')?.[0] === ARCHIVE_VERSION) {
      const row = db.row('SELECT first, last, contentDigest FROM archive')
      if (row !== undefined) {
        return { first: Number(row[0]), last: Number(row[1]), contentDigest: String(row[2]) }
      }
    }
  } catch (cause) {
    throw new ConfigError(`${file}: is no archive of a log (${String(cause)})`, { cause })
  }
  throw new ConfigError(`${file}: is no archive of a log, or one of another version`)
}

/** The keys are in the log that the archive comes from: here, content counts by its parts. */
function recordsOf(db: ReadOnlyDatabase, { first, last }: ArchiveRange): RecordSource {
  const reader = recordReader(db)
  return {
    ...reader,
    extent: async () => ({ first, last }),
    contents: async (after, upTo) => {
      const contents = await reader.contents(after, upTo)
      return new Map([...contents].map(([at, { parts }]) => [at, { hasKey: true, parts }]))
    },
    content: async () => undefined,
    archivedUpTo: async () => first - 1,
    isErased: async (record) =>
      db.row('SELECT 1 FROM emptied WHERE position = ?', record.position) !== undefined ||
      (await reader.isErased(record)),
  }
}

function digestOf(db: ReadOnlyDatabase): string {
  const digest = createHash('sha256')
  const sql = 'SELECT owner, part, bytes FROM content WHERE owner = ? AND part = ?'
  const next = db.row.bind(db)
  const first = 'SELECT min(owner) FROM content WHERE owner > ?'
  for (
    let owner = next(first, 0)?.[0];
    typeof owner === 'number';
    owner = next(first, owner)?.[0]
  ) {
    for (let part = 0; ; part += 1) {
      const row = db.row(sql, owner, part)
      if (row === undefined) break
      digest.update(contentLine(owner, part, row[2] as Uint8Array))
    }
  }
  return digest.digest('hex')
}
