import { openSqliteDatabase, type Database } from '../runtime/sqlite-database.ts'
import {
  TreeStoreError,
  type StoredCheckpoint,
  type TileWrite,
  type TreeStore,
} from './tree-store.ts'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS checkpoint (
    size        INTEGER PRIMARY KEY,
    rootHash    BLOB NOT NULL,
    note        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    witnessedAt INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS checkpointByTime ON checkpoint (at);
  CREATE INDEX IF NOT EXISTS checkpointWitnessed ON checkpoint (size) WHERE witnessedAt IS NOT NULL;
  CREATE TABLE IF NOT EXISTS cosignature (
    size INTEGER NOT NULL REFERENCES checkpoint (size) ON DELETE CASCADE,
    line TEXT NOT NULL,
    UNIQUE (size, line)
  ) STRICT`

interface Row {
  readonly size: number
  readonly rootHash: Uint8Array
  readonly note: string
  readonly at: number
  readonly witnessedAt: number | null
}

/** Opens the tree in `file`, making it at first start. @throws ConfigError */
export function openSqliteTreeStore(file: string): TreeStore {
  const db = openSqliteDatabase(file, (database) => database.exec(SCHEMA))
  const find = (condition: string, ...values: number[]): StoredCheckpoint[] =>
    db
      .all<Row>(`SELECT * FROM checkpoint WHERE ${condition}`, ...values)
      .map((row) => toCheckpoint(db, row))
  const one = (condition: string, ...values: number[]): Promise<StoredCheckpoint | undefined> =>
    asStoreError(() => find(`${condition} LIMIT 1`, ...values)[0])
  return {
    head: () => one('TRUE ORDER BY size DESC'),
    advance: (from, tiles, checkpoint) =>
      asStoreError(() => db.transaction(() => advance(db, from, tiles, checkpoint))),
    tile: (level, index) =>
      asStoreError(() => {
        const sql = 'SELECT hashes FROM tile WHERE level = ? AND number = ?'
        const row = db.get<{ hashes: Uint8Array }>(sql, level, index)
        return row && Buffer.from(row.hashes)
      }),
    checkpoint: (size) => one('size = ?', size),
    covering: (size, { witnessed = false } = {}) =>
      one(`size >= ? ${witnessed ? 'AND witnessedAt IS NOT NULL' : ''} ORDER BY size`, size),
    witnessedHead: () => one('witnessedAt IS NOT NULL ORDER BY size DESC'),
    checkpoints: (size, limit) =>
      asStoreError(() => find('size > ? ORDER BY size LIMIT ?', size, limit)),
    addCosignatures: (size, lines, witnessedAt) =>
      asStoreError(() =>
        db.transaction(() => {
          if (db.get('SELECT 1 FROM checkpoint WHERE size = ?', size) === undefined) return
          const sql = 'INSERT OR IGNORE INTO cosignature (size, line) VALUES (?, ?)'
          for (const line of lines) db.run(sql, size, line)
          if (witnessedAt === undefined) return
          const mark = 'UPDATE checkpoint SET witnessedAt = coalesce(witnessedAt, ?) WHERE size = ?'
          db.run(mark, witnessedAt.getTime(), size)
        }),
      ),
    thin: (before, keep, from) => asStoreError(() => thin(db, { before, keep, from })),
    [Symbol.asyncDispose]: async () => db[Symbol.dispose](),
  }
}

function advance(
  db: Database,
  from: number,
  tiles: readonly TileWrite[],
  { size, rootHash, note, at, witnessedAt }: StoredCheckpoint,
): boolean {
  const head = db.get<{ size: number | null }>('SELECT max(size) AS size FROM checkpoint')
  if ((head?.size ?? 0) !== from) return false
  for (const { level, index, hashes } of tiles) {
    const sql = 'INSERT OR REPLACE INTO tile (level, number, hashes) VALUES (?, ?, ?)'
    db.run(sql, level, index, hashes)
  }
  const sql =
    'INSERT INTO checkpoint (size, rootHash, note, at, witnessedAt) VALUES (?, ?, ?, ?, ?)'
  db.run(sql, size, rootHash, note, at.getTime(), witnessedAt?.getTime() ?? null)
  return true
}

function thin(
  db: Database,
  { before, keep, from }: { before: Date; keep: ReadonlySet<number>; from: Date | undefined },
): void {
  const old = db.all<{ size: number }>(
    `SELECT size FROM checkpoint WHERE at >= ? AND at < ?
       AND size < (SELECT max(size) FROM checkpoint)
       AND size <> coalesce((SELECT max(size) FROM checkpoint WHERE witnessedAt IS NOT NULL), 0)`,
    from?.getTime() ?? 0,
    before.getTime(),
  )
  db.transaction(() => {
    for (const { size } of old) {
      if (!keep.has(size)) db.run('DELETE FROM checkpoint WHERE size = ?', size)
    }
  })
}

function toCheckpoint(db: Database, { witnessedAt, ...row }: Row): StoredCheckpoint {
  const sql = 'SELECT line FROM cosignature WHERE size = ? ORDER BY rowid'
  return {
    ...row,
    rootHash: Buffer.from(row.rootHash),
    at: new Date(row.at),
    cosignatures: db.all<{ line: string }>(sql, row.size).map(({ line }) => line),
    ...(witnessedAt === null ? {} : { witnessedAt: new Date(witnessedAt) }),
  }
}

/** SQLite's own errors are told from bugs by their code. */
async function asStoreError<T>(run: () => T): Promise<T> {
  try {
    return run()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw cause
    throw new TreeStoreError(`the tree cannot be read or written (${String(cause)})`, { cause })
  }
}
