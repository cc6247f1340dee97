import { hash } from 'node:crypto'
import { openSqliteDatabase, setVersion, type Database } from '../runtime/sqlite-database.ts'

/** A checkpoint as a witness keeps it. */
export interface KeptCheckpoint {
  readonly size: number
  readonly rootHash: Buffer
  /** The signed note: with the signatures of the log that were verified, and the cosignature of the witness. */
  readonly note: string
}

/**
 * What a log did that an append-only log does not do. `fork` is proved by its two notes alone: one key signed two
 * trees of one size. The others say that the log did not show a tree that continues the one it had shown;
 * since anybody can send a checkpoint that a log published, they count only while the log does not go on.
 */
export type RefusalKind = 'fork' | 'inconsistent' | 'shrunk'

export interface KeptRefusal {
  readonly kind: RefusalKind
  readonly origin: string
  readonly at: Date
  /** The note that was refused, with the signature of the log. */
  readonly refused: string
  /** The note that the witness had cosigned. */
  readonly cosigned: string
  /** Whether the log has cosigned nothing newer since then. A fork stays open for ever. */
  readonly isOpen: boolean
}

/**
 * What a witness has seen, durably. The calls are synchronous: between reading and writing inside of
 * {@link WitnessState.transaction} nothing comes, neither in this process nor in another one.
 */
export interface WitnessState extends Disposable {
  /** The largest checkpoint that was cosigned. */
  latest(origin: string): KeptCheckpoint | undefined
  /** The same by the SHA-256 of the origin in hexadecimal. */
  latestByHash(originHash: string): KeptCheckpoint | undefined
  /** One of exactly this size that was cosigned, if it is still remembered: the last {@link REMEMBERED} are. */
  cosigned(origin: string, size: number): KeptCheckpoint | undefined
  /** Makes `checkpoint` the latest. Only in a transaction, after a look at the latest. */
  keep(origin: string, checkpoint: KeptCheckpoint, at: Date): void
  /** @returns false when the same refusal is kept already. */
  keepRefusal(
    refusal: Omit<KeptRefusal, 'isOpen'> & Pick<KeptCheckpoint, 'size' | 'rootHash'>,
  ): boolean
  /** Newest first, at most 1000. */
  refusals(): KeptRefusal[]
  /** Those that were kept, by kind. */
  countRefusals(): Readonly<Record<RefusalKind, number>>
  origins(): { readonly origin: string; readonly size: number; readonly at: Date }[]
  /** All or nothing; durable when it returns. */
  transaction<T>(work: () => T): T
}

/** Checkpoints of each log by which a fork is recognised; a witness has to remember the newest only. */
export const REMEMBERED = 10_000
/** Of each log. What a stranger can have a witness keep must have an end; forks are all kept. */
const MOST_UNPROVED = 200

const SCHEMA = `
  CREATE TABLE log (
    origin     TEXT PRIMARY KEY,
    originHash TEXT NOT NULL UNIQUE,
    -- Of the latest checkpoint, and when it was cosigned
    size       INTEGER NOT NULL,
    at         INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE cosigned (
    origin   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    rootHash BLOB NOT NULL,
    note     TEXT NOT NULL,
    PRIMARY KEY (origin, size)
  ) STRICT;
  CREATE TABLE refusal (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    origin   TEXT NOT NULL,
    size     INTEGER NOT NULL,
    rootHash BLOB NOT NULL,
    at       INTEGER NOT NULL,
    refused  TEXT NOT NULL,
    cosigned TEXT NOT NULL,
    -- Of the latest checkpoint at that time
    latest   INTEGER NOT NULL,
    UNIQUE (origin, kind, size, rootHash)
  ) STRICT`

interface Row {
  readonly size: number
  readonly rootHash: Uint8Array
  readonly note: string
}

/** Opens the state in `file`, making it at first start. @throws ConfigError */
export function openWitnessState(file: string): WitnessState {
  const db = openSqliteDatabase(file, (database, version) => {
    if (version === 0) database.exec(SCHEMA)
    setVersion(database, 1)
  })
  const latestWhere = (
    column: 'origin' | 'originHash',
    value: string,
  ): KeptCheckpoint | undefined =>
    toKept(
      db.get<Row>(
        `SELECT size, rootHash, note FROM log JOIN cosigned USING (origin, size) WHERE log.${column} = ?`,
        value,
      ),
    )
  return {
    latest: (origin) => latestWhere('origin', origin),
    latestByHash: (originHash) => latestWhere('originHash', originHash),
    cosigned: (origin, size) => {
      const sql = 'SELECT size, rootHash, note FROM cosigned WHERE origin = ? AND size = ?'
      return toKept(db.get<Row>(sql, origin, size))
    },
    keep: (origin, { size, rootHash, note }, at) => {
      const sql = 'INSERT OR REPLACE INTO cosigned VALUES (?, ?, ?, ?)'
      db.run(sql, origin, size, rootHash, note)
      db.run(
        `INSERT INTO log VALUES (?, ?, ?, ?)
         ON CONFLICT (origin) DO UPDATE SET size = excluded.size, at = excluded.at`,
        ...[origin, originHashOf(origin), size, at.getTime()],
      )
      forget(db, origin)
    },
    keepRefusal: ({ kind, origin, size, rootHash, at, refused, cosigned }) => {
      const added = db.run(
        `INSERT OR IGNORE INTO refusal (kind, origin, size, rootHash, at, refused, cosigned, latest)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[kind, origin, size, rootHash, at.getTime(), refused, cosigned],
        latestWhere('origin', origin)?.size ?? 0,
      )
      const unproved = `FROM refusal WHERE origin = ? AND kind <> 'fork'`
      db.run(
        `DELETE ${unproved} AND position NOT IN
           (SELECT position ${unproved} ORDER BY position DESC LIMIT ${MOST_UNPROVED})`,
        origin,
        origin,
      )
      return added > 0
    },
    refusals: () =>
      db
        .all<Omit<KeptRefusal, 'at' | 'isOpen'> & { at: number; isOpen: number }>(
          `SELECT kind, origin, at, refused, cosigned, kind = 'fork' OR latest =
             (SELECT size FROM log WHERE origin = refusal.origin) AS isOpen
           FROM refusal ORDER BY position DESC LIMIT 1000`,
        )
        .map((row) => ({ ...row, at: new Date(row.at), isOpen: row.isOpen === 1 })),
    countRefusals: () => {
      const sql = 'SELECT kind, count(*) AS count FROM refusal GROUP BY kind'
      const counts = db.all<{ kind: RefusalKind; count: number }>(sql)
      const of = (wanted: RefusalKind): number =>
        counts.find(({ kind }) => kind === wanted)?.count ?? 0
      return { fork: of('fork'), inconsistent: of('inconsistent'), shrunk: of('shrunk') }
    },
    origins: () =>
      db
        .all<{ origin: string; size: number; at: number }>(
          'SELECT origin, size, at FROM log ORDER BY origin',
        )
        .map((row) => ({ ...row, at: new Date(row.at) })),
    transaction: (work) => db.transaction(work),
    [Symbol.dispose]: () => db[Symbol.dispose](),
  }
}

/** How the address of a log's checkpoint names the log (tlog-witness): SHA-256 of its origin in hexadecimal. */
export function originHashOf(origin: string): string {
  return hash('sha256', origin, 'hex')
}

function forget(db: Database, origin: string): void {
  db.run(
    `DELETE FROM cosigned WHERE origin = ?1 AND size <
       (SELECT size FROM cosigned WHERE origin = ?1 ORDER BY size DESC LIMIT 1 OFFSET ${REMEMBERED - 1})`,
    origin,
  )
}

function toKept(row: Row | undefined): KeptCheckpoint | undefined {
  return row && { ...row, rootHash: Buffer.from(row.rootHash) }
}
