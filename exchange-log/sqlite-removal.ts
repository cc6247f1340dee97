/**
 * What takes content and records out of the log's database. Each does its work in steps, every one a transaction
 * of its own, so that appends go on between them.
 */
import type { DatabaseSync } from 'node:sqlite'

/** Parts of one step: with the largest ones 32 MB that are overwritten. */
const PARTS = 128
const RECORDS = 1000
const OWNER = 'coalesce(staged, position)'

/** Runs `work` as a whole or, when it throws, not at all. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk may have rolled back by itself (sqlite.org/lang_transaction.html §3).
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** The key goes last: as long as it is there, somebody knows that there is something left to erase. */
export function* erase(db: DatabaseSync, positions: readonly number[]): Generator<void> {
  const findOwner = db.prepare(
    `SELECT coalesce((SELECT ${OWNER} FROM record WHERE position = ?1), ?1) AS owner`,
  )
  const removeParts = db.prepare(
    `DELETE FROM content WHERE rowid IN (SELECT rowid FROM content WHERE owner = ? LIMIT ${PARTS})`,
  )
  const removeKey = db.prepare('DELETE FROM recordKey WHERE position = ?')
  const forget = db.prepare('DELETE FROM archivedContent WHERE position = ?')
  const left = [...positions].toReversed()
  while (left.length > 0) {
    transaction(db, () => {
      for (let budget = PARTS; left.length > 0 && budget > 0;) {
        const position = left.at(-1)!
        const { owner } = findOwner.get(position) as { owner: number }
        const removed = Number(removeParts.run(owner).changes)
        budget -= Math.max(removed, 1)
        if (removed === PARTS) continue
        removeKey.run(position)
        forget.run(position)
        left.pop()
      }
    })
    yield
  }
}

/**
 * The write-ahead log has the pages as they were, until it is written back and cut to nothing.
 *
 * @returns false while a reader still needs it.
 */
export function emptyWriteAheadLog(db: DatabaseSync): boolean {
  const { timeout } = db.prepare('PRAGMA busy_timeout').get() as { timeout: number }
  db.exec('PRAGMA busy_timeout = 0') // appends wait behind this
  try {
    const done = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    return done.busy === 0
  } finally {
    db.exec(`PRAGMA busy_timeout = ${timeout}`)
  }
}

/** Oldest first, so that what is left begins at some position also when it is cut off. */
export function* removeUpTo(db: DatabaseSync, position: number): Generator<void> {
  const steps = [
    `INSERT OR IGNORE INTO archivedEvent SELECT * FROM record
      WHERE position <= ? AND side IS NULL AND kind IN ('hold', 'release', 'archive')`,
    `INSERT OR IGNORE INTO archivedContent
      SELECT r.position, r.exchangeId, coalesce(b.at, a.at, r.at), r.client, r.service,
        coalesce(r.userId, b.userId, a.userId), coalesce(r.issue, b.issue, a.issue)
      FROM record AS r JOIN recordKey AS k ON k.position = r.position
        LEFT JOIN record AS b ON b.position = r.begunAt
        LEFT JOIN archivedContent AS a ON a.position = r.begunAt
      WHERE r.position <= ?`,
    `DELETE FROM content WHERE owner IN (SELECT ${OWNER} FROM record WHERE position <= ?)`,
    'DELETE FROM record WHERE position <= ?',
  ].map((sql) => db.prepare(sql))
  const first = db.prepare('SELECT min(position) AS position FROM record')
  for (;;) {
    const { position: lowest } = first.get() as { position: number | null }
    if (lowest === null || lowest > position) return
    const upTo = Math.min(position, lowest + RECORDS - 1)
    transaction(db, () => {
      for (const step of steps) step.run(upTo)
    })
    yield
  }
}

/**
 * Parts of a large body whose record will not come. Their key was never stored, so that they need not be
 * overwritten, which would take as much room again, on a disk that may be full.
 */
export function* unstage(db: DatabaseSync, owner: number): Generator<void> {
  const remove = db.prepare(
    `DELETE FROM content WHERE rowid IN (SELECT rowid FROM content WHERE owner = ?1 LIMIT ${PARTS})
      AND NOT EXISTS (SELECT 1 FROM record WHERE staged = ?1)`,
  )
  for (let removed = PARTS; removed === PARTS;) {
    db.exec('PRAGMA secure_delete = OFF')
    try {
      removed = Number(transaction(db, () => remove.run(owner)).changes)
    } finally {
      db.exec('PRAGMA secure_delete = ON')
    }
    yield
  }
}

/** Takes back what was staged before the process ended, and no record names. */
export function* sweepStaged(db: DatabaseSync): Generator<void> {
  const next = db.prepare('SELECT min(owner) AS owner FROM content WHERE owner > ? AND owner < 0')
  const isNamed = db.prepare('SELECT 1 FROM record WHERE staged = ?')
  for (let last = Number.MIN_SAFE_INTEGER - 1; ;) {
    const { owner } = next.get(last) as { owner: number | null }
    if (owner === null) return
    if (isNamed.get(owner) === undefined) yield* unstage(db, owner)
    last = owner
    yield
  }
}
