/** The tables of a log's tree, and what changes them; `tree-store.ts` says what each change promises. */
import { openSqliteDatabase, type Database } from '../runtime/sqlite-database.ts'
import type { StoredCheckpoint, TileWrite } from './tree-store.ts'

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

/** Makes the file at first start. @throws ConfigError */
export function openTree(file: string): Database {
  return openSqliteDatabase(file, (database) => database.exec(SCHEMA))
}

export function advance(
  db: Database,
  from: number,
  tiles: readonly TileWrite[],
  { size, rootHash, note, at, witnessedAt }: StoredCheckpoint,
): boolean {
  return db.transaction(() => {
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
  })
}

export function thin(
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

/** A line that is there stays single. */
export function addCosignatures(
  db: Database,
  size: number,
  lines: readonly string[],
  witnessedAt: Date | undefined,
): void {
  db.transaction(() => {
    if (db.get('SELECT 1 FROM checkpoint WHERE size = ?', size) === undefined) return
    const sql = 'INSERT OR IGNORE INTO cosignature (size, line) VALUES (?, ?)'
    for (const line of lines) db.run(sql, size, line)
    if (witnessedAt === undefined) return
    const mark = 'UPDATE checkpoint SET witnessedAt = coalesce(witnessedAt, ?) WHERE size = ?'
    db.run(mark, witnessedAt.getTime(), size)
  })
}
