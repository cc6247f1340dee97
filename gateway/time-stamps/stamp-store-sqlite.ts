import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { ConfigError } from '../../runtime/config.ts'
import { touchPrivate } from '../../runtime/private-file.ts'
import { StampStoreError, type LogStamp, type StampStore } from './stamp-store.ts'

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS stamp (
    first     INTEGER NOT NULL UNIQUE,
    last      INTEGER PRIMARY KEY CHECK (last >= first),
    token     BLOB NOT NULL,
    genTime   INTEGER NOT NULL,
    serial    TEXT NOT NULL,
    authority TEXT NOT NULL,
    at        INTEGER NOT NULL
  ) STRICT`
const BUSY_TIMEOUT_MS = 1000

type Row = Record<string, SQLOutputValue>

/** Opens the store in `file`, making it at first start. @throws ConfigError */
export function openSqliteStampStore(file: string): StampStore {
  touchPrivate(file)
  const db = openDatabase(file)
  const insert = db.prepare(
    `INSERT INTO stamp (first, last, token, genTime, serial, authority, at)
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ?1 = coalesce((SELECT max(last) FROM stamp), 0) + 1`,
  )
  const newest = db.prepare('SELECT * FROM stamp ORDER BY last DESC LIMIT 1')
  const covering = db.prepare('SELECT * FROM stamp WHERE last >= ? ORDER BY last LIMIT 1')
  const page = db.prepare('SELECT * FROM stamp WHERE first < ? ORDER BY last DESC LIMIT ?')
  const one = (row: Row | undefined): LogStamp | undefined => row && toStamp(row)
  return {
    add: ({ first, last, token, genTime, serial, authority, at }) => {
      const { changes } = asStoreError(() =>
        insert.run(first, last, token, genTime.getTime(), serial, authority, at.getTime()),
      )
      if (changes === 0)
        throw new StampStoreError(`position ${first} is not the next to be covered`)
    },
    last: () => asStoreError(() => one(newest.get())),
    covering: (position) => {
      const stamp = asStoreError(() => one(covering.get(position)))
      return stamp !== undefined && stamp.first <= position ? stamp : undefined
    },
    list: ({ before = Number.MAX_SAFE_INTEGER, limit }) =>
      asStoreError(() => page.all(before, limit).map(toStamp)),
    [Symbol.dispose]: () => db.close(),
  }
}

function openDatabase(file: string): DatabaseSync {
  try {
    const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
    db.exec(SCHEMA)
    return db
  } catch (cause) {
    throw new ConfigError(`${file}: the time-stamps cannot be opened (${String(cause)})`, { cause })
  }
}

/** SQLite's own errors are told from bugs by their code. */
function asStoreError<T>(run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw cause
    throw new StampStoreError(`the time-stamps cannot be kept or read (${String(cause)})`, {
      cause,
    })
  }
}

function toStamp({ first, last, token, genTime, serial, authority, at }: Row): LogStamp {
  return {
    first: Number(first),
    last: Number(last),
    token: Buffer.from(token as Uint8Array),
    genTime: new Date(Number(genTime)),
    serial: String(serial),
    authority: String(authority),
    at: new Date(Number(at)),
  }
}
