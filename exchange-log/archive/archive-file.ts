/** The file that an archive is: SQLite, with the tables of the log. The keys of records are not in it. */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import { parseJws } from '../../protocol/jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { LogStores } from '../open-log.ts'
import type { StoredRecord } from '../record.ts'
import { COLUMNS, SCHEMA } from '../sqlite-rows.ts'
import type { StoredCheckpoint } from '../tree-store.ts'

/** `PRAGMA user_version` of the file. */
export const ARCHIVE_VERSION = 1
export const ARCHIVE_SCHEMA = `${SCHEMA}
  CREATE TABLE tile (
    level INTEGER NOT NULL, number INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, number)
  ) STRICT;
  CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY, rootHash BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE cosignature (size INTEGER NOT NULL, line TEXT NOT NULL) STRICT;
  CREATE TABLE stamp (
    size INTEGER PRIMARY KEY, token BLOB NOT NULL, genTime INTEGER NOT NULL, serial TEXT NOT NULL,
    authority TEXT NOT NULL, at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE certificate (thumbprint TEXT PRIMARY KEY, der BLOB NOT NULL) STRICT;
  CREATE TABLE emptied (position INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE archive (first INTEGER NOT NULL, last INTEGER NOT NULL, contentDigest TEXT NOT NULL) STRICT`

export interface ArchiveRange {
  readonly first: number
  readonly last: number
}

const BATCH = 200
/** Between batches exchanges go on. */
const PAUSE_MS = 5
const CHECKPOINTS = 1000

/**
 * Writes an archive of the records of a range into `file`, which is made anew. When it resolves, the file is on the disk.
 *
 * @param seal the checkpoint that proves all of the range.
 * @throws LogStoreError, TreeStoreError; the disk's own error.
 */
export async function writeArchive(
  file: string,
  stores: LogStores,
  options: {
    readonly range: ArchiveRange
    readonly seal: StoredCheckpoint
    readonly signal: AbortSignal
  },
): Promise<void> {
  rmSync(file, { force: true })
  const { range, seal, signal } = options
  const { first, last } = range
  const db = new DatabaseSync(file)
  try {
    db.exec('PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF')
    db.exec(`${ARCHIVE_SCHEMA}; PRAGMA user_version = ${ARCHIVE_VERSION}`)
    const put = inserter(db)
    const contents = createHash('sha256')
    const signers = new Set<string>()
    for (let after = first - 1; after < last;) {
      signal.throwIfAborted()
      const records = await stores.records.after(after, Math.min(BATCH, last - after))
      if (records.length === 0) break
      db.exec('BEGIN')
      for (const record of records) {
        put('record', ['position', 'salt', 'commitment', ...COLUMNS], valuesOf(record))
        await copyContent(record, stores, put, (line) => contents.update(line))
        noteSigner(record, signers)
        after = record.position
      }
      db.exec('COMMIT')
      await pause(PAUSE_MS, undefined, { signal })
    }
    db.exec('BEGIN')
    put('archive', ['first', 'last', 'contentDigest'], [first, last, contents.digest('hex')])
    for (const thumbprint of signers) {
      const der = await stores.validation.certificate(thumbprint)
      if (der !== undefined) put('certificate', ['thumbprint', 'der'], [thumbprint, der])
    }
    await copyTree(stores, range, seal, put)
    db.exec('COMMIT')
  } finally {
    db.close()
  }
  syncFile(file)
}

type Put = (table: string, columns: readonly string[], values: readonly SQLInputValue[]) => void

function inserter(db: DatabaseSync): Put {
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  return (table, columns, values) => {
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
    const statement = statements.get(sql) ?? db.prepare(sql)
    statements.set(sql, statement)
    statement.run(...values)
  }
}

function valuesOf(record: StoredRecord): SQLInputValue[] {
  const columns = COLUMNS.map((column): SQLInputValue => {
    const value = record[column]
    return value instanceof Date ? value.getTime() : (value ?? null)
  })
  return [record.position, record.salt, record.commitment, ...columns]
}

/** Encrypted as it is. What was erased before is noted, for whoever misses it. */
async function copyContent(
  { position, kept }: StoredRecord,
  { records }: LogStores,
  put: Put,
  digest: (line: string) => void,
): Promise<void> {
  if (kept === undefined || kept === 'none') return
  for (let part = 0; ; part += 1) {
    const bytes = await records.contentPart(position, part)
    if (bytes === undefined) {
      if (part === 0) put('emptied', ['position'], [position])
      return
    }
    put('content', ['owner', 'part', 'bytes'], [position, part, bytes])
    digest(contentLine(position, part, bytes))
  }
}

/** What the digest of all content in an archive is made over, part by part. */
export function contentLine(position: number, part: number, bytes: Uint8Array): string {
  return `${position} ${part} ${createHash('sha256').update(bytes).digest('hex')}\n`
}

function noteSigner({ manifest }: StoredRecord, signers: Set<string>): void {
  if (manifest === undefined) return
  try {
    signers.add(parseJws(manifest).header['x5t#S256'])
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
  }
}

/** The tree as of the seal: what leads from these records to its root, and what was signed on the way. */
async function copyTree(
  { tree, stamps }: LogStores,
  { first, last }: ArchiveRange,
  seal: StoredCheckpoint,
  put: Put,
): Promise<void> {
  const start = Math.floor((first - 1) / TILE_WIDTH)
  for (let level = 0, width = TILE_WIDTH; ; level += 1, width *= TILE_WIDTH) {
    const from = Math.floor((start * TILE_WIDTH) / width)
    const to = Math.floor((seal.size - 1) / width)
    for (let index = from; index <= to; index += 1) {
      const hashes = await tree.tile(level, index)
      if (hashes !== undefined) put('tile', ['level', 'number', 'hashes'], [level, index, hashes])
    }
    if (seal.size < width) break
  }
  for (let after = first - 1; after < seal.size;) {
    const page = await tree.checkpoints(after, CHECKPOINTS)
    if (page.length === 0) break
    for (const { size, rootHash, note, at, cosignatures } of page) {
      after = size
      if (size > seal.size) break
      const values = [size, rootHash, note, at.getTime()]
      put('checkpoint', ['size', 'rootHash', 'note', 'at'], values)
      for (const line of cosignatures) put('cosignature', ['size', 'line'], [size, line])
    }
  }
  for (let stamp = await stamps.covering(first); stamp && stamp.size <= seal.size;) {
    const { size, token, genTime, serial, authority, at } = stamp
    const columns = ['size', 'token', 'genTime', 'serial', 'authority', 'at']
    put('stamp', columns, [size, token, genTime.getTime(), serial, authority, at.getTime()])
    if (size >= last) break
    stamp = await stamps.covering(size + 1)
  }
}

/** What was written survives a power cut. */
export function syncFile(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
