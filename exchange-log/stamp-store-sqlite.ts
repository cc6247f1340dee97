import { ConfigError } from '../runtime/config.ts'
import { openSqliteDatabase, setVersion, type Database } from '../runtime/sqlite-database.ts'
import { StampStoreError, type LogStamp, type StampStore } from './stamp-store.ts'

const VERSION = 2
const SCHEMA = `
  CREATE TABLE stamp (
    size      INTEGER PRIMARY KEY,
    token     BLOB NOT NULL,
    genTime   INTEGER NOT NULL,
    serial    TEXT NOT NULL,
    authority TEXT NOT NULL,
    at        INTEGER NOT NULL
  ) STRICT`

interface Row {
  readonly size: number
  readonly token: Uint8Array
  readonly genTime: number
  readonly serial: string
  readonly authority: string
  readonly at: number
}

/** Opens the store in `file`, making it at first start. @throws ConfigError */
export function openSqliteStampStore(file: string): StampStore {
  const db = openSqliteDatabase(file, (database, version) => prepare(database, version, file))
  const one = (sql: string, ...values: number[]): LogStamp | undefined => {
    const row = db.get<Row>(sql, ...values)
    return row && toStamp(row)
  }
  return {
    add: ({ size, token, genTime, serial, authority, at }) =>
      asStoreError(() => {
        const sql = `INSERT INTO stamp (size, token, genTime, serial, authority, at)
          SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ?1 > coalesce((SELECT max(size) FROM stamp), 0)`
        const values = [size, token, genTime.getTime(), serial, authority, at.getTime()]
        return db.run(sql, ...values) === 1
      }),
    last: () => asStoreError(() => one('SELECT * FROM stamp ORDER BY size DESC LIMIT 1')),
    covering: (position) =>
      asStoreError(() =>
        one('SELECT * FROM stamp WHERE size >= ? ORDER BY size LIMIT 1', position),
      ),
    list: ({ before = Number.MAX_SAFE_INTEGER, limit }) =>
      asStoreError(() =>
        db
          .all<Row>('SELECT * FROM stamp WHERE size < ? ORDER BY size DESC LIMIT ?', before, limit)
          .map(toStamp),
      ),
    [Symbol.asyncDispose]: async () => db[Symbol.dispose](),
  }
}

function prepare(db: Database, version: number, file: string): void {
  if (version === VERSION) return
  const old = db.get("SELECT 1 FROM sqlite_schema WHERE name = 'stamp'") !== undefined
  if (old || version !== 0) {
    throw new ConfigError(
      `${file}: its time-stamps are of another version, about lists of records instead of checkpoints; move the file away, keep it with the log of its time, and the log is stamped anew from its first record on`,
    )
  }
  db.exec(SCHEMA)
  setVersion(db, VERSION)
}

/** SQLite's own errors are told from bugs by their code. */
async function asStoreError<T>(run: () => T): Promise<T> {
  try {
    return run()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw cause
    throw new StampStoreError(`the time-stamps cannot be kept or read (${String(cause)})`, {
      cause,
    })
  }
}

function toStamp({ token, genTime, at, ...rest }: Row): LogStamp {
  return { ...rest, token: Buffer.from(token), genTime: new Date(genTime), at: new Date(at) }
}
