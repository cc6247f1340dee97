import { openSqliteDatabase } from '../runtime/sqlite-database.ts'
import {
  certificateRow,
  ValidationStoreError,
  type KeptOcspAnswer,
  type ValidationStore,
} from './validation-store.ts'

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS certificate (
    thumbprint TEXT PRIMARY KEY,
    subject    BLOB NOT NULL,
    der        BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS certificateSubject ON certificate (subject);
  CREATE TABLE IF NOT EXISTS ocspAnswer (
    thumbprint TEXT NOT NULL,
    producedAt INTEGER NOT NULL,
    der        BLOB NOT NULL,
    PRIMARY KEY (thumbprint, producedAt)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS signatureStamp (
    digest  TEXT PRIMARY KEY,
    token   BLOB NOT NULL,
    genTime INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`

interface OcspRow {
  readonly thumbprint: string
  readonly producedAt: number
  readonly der: Uint8Array
}

/** Opens the store in `file`, making it at first start. @throws ConfigError */
export function openSqliteValidationStore(file: string): ValidationStore {
  const db = openSqliteDatabase(file, (database) => database.exec(SCHEMA))
  return {
    keepCertificates: (ders) =>
      asStoreError(() => {
        const rows = ders.map(certificateRow)
        db.transaction(() => {
          const sql =
            'INSERT OR IGNORE INTO certificate (thumbprint, subject, der) VALUES (?, ?, ?)'
          for (const { thumbprint, subject, der } of rows) db.run(sql, thumbprint, subject, der)
        })
      }),
    certificate: (thumbprint) =>
      asStoreError(() => {
        const sql = 'SELECT der FROM certificate WHERE thumbprint = ?'
        const row = db.get<{ der: Uint8Array }>(sql, thumbprint)
        return row && Buffer.from(row.der)
      }),
    certificatesNamed: (name) =>
      asStoreError(() => {
        const sql = 'SELECT der FROM certificate WHERE subject = ?'
        return db.all<{ der: Uint8Array }>(sql, name).map(({ der }) => Buffer.from(der))
      }),
    keepOcspAnswer: ({ thumbprint, producedAt, der }) =>
      asStoreError(() => {
        const sql =
          'INSERT OR IGNORE INTO ocspAnswer (thumbprint, producedAt, der) VALUES (?, ?, ?)'
        db.run(sql, thumbprint, producedAt.getTime(), der)
      }),
    ocspAnswer: (thumbprint, at) =>
      asStoreError(() => {
        const find = (condition: string): OcspRow | undefined =>
          db.get(
            `SELECT * FROM ocspAnswer WHERE thumbprint = ? AND producedAt ${condition} LIMIT 1`,
            thumbprint,
            at.getTime(),
          )
        const row = find('<= ? ORDER BY producedAt DESC') ?? find('> ? ORDER BY producedAt')
        return row && toAnswer(row)
      }),
    keepSignatureStamp: ({ digest, token, genTime }) =>
      asStoreError(() => {
        const sql = 'INSERT OR IGNORE INTO signatureStamp (digest, token, genTime) VALUES (?, ?, ?)'
        db.run(sql, digest, token, genTime.getTime())
      }),
    signatureStamp: (digest) =>
      asStoreError(() => {
        const sql = 'SELECT token, genTime FROM signatureStamp WHERE digest = ?'
        const row = db.get<{ token: Uint8Array; genTime: number }>(sql, digest)
        return row && { digest, token: Buffer.from(row.token), genTime: new Date(row.genTime) }
      }),
    [Symbol.asyncDispose]: async () => db[Symbol.dispose](),
  }
}

function toAnswer({ thumbprint, producedAt, der }: OcspRow): KeptOcspAnswer {
  return { thumbprint, producedAt: new Date(producedAt), der: Buffer.from(der) }
}

/** SQLite's own errors are told from bugs by their code. */
async function asStoreError<T>(run: () => T): Promise<T> {
  try {
    return run()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw cause
    throw new ValidationStoreError(
      `what signatures were judged by cannot be kept (${String(cause)})`,
      {
        cause,
      },
    )
  }
}
