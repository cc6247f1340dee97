import type { SQLInputValue } from 'node:sqlite'
import type { LogRecord, StoredRecord } from './record.ts'
import type { SealedRecord } from './store.ts'

/** In place of a position: the record was to be there once, and is. */
export const ALREADY_RECORDED = -1
/** `PRAGMA user_version` of a file with these tables. */
export const SCHEMA_VERSION = 2
const RECORD = `
    salt       BLOB NOT NULL,
    commitment BLOB NOT NULL,
    exchangeId TEXT NOT NULL,
    side       TEXT CHECK (side IN ('client', 'provider')),
    kind       TEXT NOT NULL,
    begunAt    INTEGER,
    at         INTEGER NOT NULL,
    recordedAt INTEGER NOT NULL,
    client     TEXT,
    service    TEXT,
    method     TEXT,
    target     TEXT,
    messageId  TEXT,
    userId     TEXT,
    issue      TEXT,
    representedParty TEXT,
    purpose    TEXT,
    peer       TEXT,
    manifest   TEXT,
    kept       TEXT,
    bodyBytes  INTEGER,
    status     INTEGER,
    code       TEXT,
    origin     TEXT,
    detail     TEXT,
    actor      TEXT,
    staged     INTEGER`
// Searches look for runs, so that only the records that begin one are indexed for them: half of all.
const BEGINS = 'begunAt IS NULL AND side IS NOT NULL'
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS record (position INTEGER PRIMARY KEY AUTOINCREMENT, ${RECORD}) STRICT;
  CREATE INDEX IF NOT EXISTS recordOfExchange ON record (exchangeId);
  CREATE INDEX IF NOT EXISTS recordOfMessage ON record (messageId) WHERE ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordOfRun ON record (begunAt) WHERE begunAt IS NOT NULL;
  CREATE INDEX IF NOT EXISTS recordByTime ON record (at) WHERE ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordByClient ON record (client, at) WHERE ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordByService ON record (service, at) WHERE ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordByUser ON record (userId, at) WHERE userId IS NOT NULL AND ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordByIssue ON record (issue, at) WHERE issue IS NOT NULL AND ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordByPurpose ON record (purpose, at) WHERE purpose IS NOT NULL AND ${BEGINS};
  CREATE INDEX IF NOT EXISTS recordOfRefusal ON record (code, begunAt) WHERE kind = 'refusal';
  CREATE INDEX IF NOT EXISTS recordOfEvent ON record (kind) WHERE side IS NULL;
  CREATE INDEX IF NOT EXISTS recordStaged ON record (staged) WHERE staged IS NOT NULL;
  CREATE TABLE IF NOT EXISTS content (
    owner INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (owner, part)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS recordKey (position INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS archivedEvent (position INTEGER PRIMARY KEY, ${RECORD}) STRICT;
  CREATE TABLE IF NOT EXISTS archivedContent (
    position   INTEGER PRIMARY KEY,
    exchangeId TEXT NOT NULL,
    at         INTEGER NOT NULL,
    client     TEXT,
    service    TEXT,
    userId     TEXT,
    issue      TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS archivedContentOfExchange ON archivedContent (exchangeId);`

export const COLUMNS = [
  'exchangeId',
  'side',
  'kind',
  'begunAt',
  'at',
  'recordedAt',
  'client',
  'service',
  'method',
  'target',
  'messageId',
  'userId',
  'issue',
  'representedParty',
  'purpose',
  'peer',
  'manifest',
  'kept',
  'bodyBytes',
  'status',
  'code',
  'origin',
  'detail',
  'actor',
] as const satisfies readonly (keyof LogRecord)[]

const ALL = ['salt', 'commitment', ...COLUMNS, 'staged']
export const INSERT = `INSERT INTO record (${ALL.join(', ')}) VALUES (${ALL.map(() => '?').join(', ')})`
export const SELECT = `SELECT position, salt, commitment, ${COLUMNS.join(', ')} FROM record`

export function toRow({ record, salt, commitment, content }: SealedRecord): SQLInputValue[] {
  const values = COLUMNS.map((column) => {
    const value = record[column]
    if (value instanceof Date) return value.getTime()
    return value ?? null
  })
  return [salt, commitment, ...values, content && 'staged' in content ? -content.staged : null]
}

export type Row = Record<string, SQLInputValue>

export function toRecord(row: Row): StoredRecord {
  const present = Object.entries(row).filter(([, value]) => value !== null)
  return {
    ...(Object.fromEntries(present) as unknown as StoredRecord),
    salt: Buffer.from(row.salt as Uint8Array),
    commitment: Buffer.from(row.commitment as Uint8Array),
    at: new Date(Number(row.at)),
    recordedAt: new Date(Number(row.recordedAt)),
  }
}
