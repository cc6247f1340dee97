import { askWith, type PostgresDatabase } from './postgres-database.ts'
import { writeText } from './postgres-rows.ts'
import {
  certificateRow,
  ValidationStoreError,
  type KeptOcspAnswer,
  type ValidationStore,
} from './validation-store.ts'

/** What signatures were judged by, in PostgreSQL. @param database stays open when the store is closed. */
export function createPostgresValidationStore(database: PostgresDatabase): ValidationStore {
  const ask = askWith(
    database,
    (message, options) =>
      new ValidationStoreError(
        `what signatures were judged by cannot be kept or read (${message})`,
        options,
      ),
  )
  return {
    keepCertificates: async (ders) => {
      const rows = ders.map(certificateRow)
      const sql = `INSERT INTO spean.certificate (thumbprint, subject, der)
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING`
      const columns = (['thumbprint', 'subject', 'der'] as const).map((name) =>
        rows.map((row) => row[name]),
      )
      await ask('work', sql, ...columns)
    },
    certificatesNamed: async (name) => {
      const sql = 'SELECT der FROM spean.certificate WHERE subject = $1'
      return (await ask<{ der: Buffer }>('work', sql, name)).map(({ der }) => der)
    },
    certificate: async (thumbprint) => {
      const sql = 'SELECT der FROM spean.certificate WHERE thumbprint = $1'
      return (await ask<{ der: Buffer }>('work', sql, writeText(thumbprint)))[0]?.der
    },
    keepOcspAnswer: async ({ thumbprint, producedAt, der }) => {
      const sql = `INSERT INTO spean."ocspAnswer" (thumbprint, "producedAt", der)
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
      await ask('work', sql, thumbprint, producedAt.toISOString(), der)
    },
    ocspAnswer: async (thumbprint, at) => {
      const find = async (condition: string): Promise<KeptOcspAnswer | undefined> => {
        const sql = `SELECT thumbprint, "producedAt", der FROM spean."ocspAnswer"
          WHERE thumbprint = $1 AND "producedAt" ${condition} LIMIT 1`
        return (await ask<KeptOcspAnswer>('work', sql, writeText(thumbprint), at.toISOString()))[0]
      }
      const before = await find('<= $2 ORDER BY "producedAt" DESC')
      return before ?? find('> $2 ORDER BY "producedAt"')
    },
    keepSignatureStamp: async ({ digest, token, genTime }) => {
      const sql = `INSERT INTO spean."signatureStamp" (digest, token, "genTime")
        VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
      await ask('work', sql, digest, token, genTime.toISOString())
    },
    signatureStamp: async (digest) => {
      const sql = 'SELECT token, "genTime" FROM spean."signatureStamp" WHERE digest = $1'
      const [row] = await ask<{ token: Buffer; genTime: Date }>('work', sql, writeText(digest))
      return row && { digest, ...row }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}
