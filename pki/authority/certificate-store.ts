import { DatabaseSync } from 'node:sqlite'
import { parseCertificate, type Certificate } from '../certificate.ts'
import type { ProfileName } from '../profiles.ts'
import type { RevocationReason } from '../revocation-reason.ts'

export interface IssuedCertificate {
  readonly certificate: Certificate
  readonly kind: ProfileName
  readonly issuedAt: Date
  readonly revocation?: { readonly revokedAt: Date; readonly reason: RevocationReason }
}

/**
 * Every certificate the authority issued. What a call did is on the disk when it returns, and seen
 * by every later call.
 */
export interface CertificateStore extends Disposable {
  /** Records a certificate; one that is recorded stays as it is. */
  readonly add: (certificate: Certificate, kind: ProfileName, issuedAt: Date) => void
  readonly find: (serial: string) => IssuedCertificate | undefined
  /** In the order of issue. */
  readonly list: () => IssuedCertificate[]
  readonly counts: () => { readonly issued: number; readonly revoked: number }
  /** Revokes for good: a certificate that is revoked keeps its first date and reason. */
  readonly revoke: (serial: string, revokedAt: Date, reason: RevocationReason) => void
}

interface Row {
  readonly kind: ProfileName
  readonly der: Uint8Array
  readonly issuedAt: string
  readonly revokedAt: string | null
  readonly reason: RevocationReason | null
}

const BUSY_TIMEOUT_MS = 5_000

export function openCertificateStore(file: string): CertificateStore {
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS certificate (
      position  INTEGER PRIMARY KEY,
      serial    TEXT NOT NULL UNIQUE,
      kind      TEXT NOT NULL,
      subject   TEXT NOT NULL,
      der       BLOB NOT NULL,
      issuedAt  TEXT NOT NULL,
      revokedAt TEXT,
      reason    TEXT,
      CHECK ((revokedAt IS NULL) = (reason IS NULL))
    ) STRICT`)
  const insert = db.prepare(
    `INSERT INTO certificate (serial, kind, subject, der, issuedAt) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (serial) DO NOTHING`,
  )
  const bySerial = db.prepare('SELECT * FROM certificate WHERE serial = ?')
  const all = db.prepare('SELECT * FROM certificate ORDER BY position')
  const count = db.prepare(
    'SELECT count(*) AS issued, count(revokedAt) AS revoked FROM certificate',
  )
  const revoke = db.prepare(
    'UPDATE certificate SET revokedAt = ?, reason = ? WHERE serial = ? AND revokedAt IS NULL',
  )
  return {
    add: ({ serial, subject, der }, kind, issuedAt) => {
      insert.run(serial, kind, subject, der, issuedAt.toISOString())
    },
    find: (serial) => {
      const row = bySerial.get(serial) as Row | undefined
      return row && fromRow(row)
    },
    list: () => (all.all() as unknown as Row[]).map(fromRow),
    counts: () => ({ ...(count.get() as unknown as { issued: number; revoked: number }) }),
    revoke: (serial, revokedAt, reason) => {
      revoke.run(revokedAt.toISOString(), reason, serial)
    },
    [Symbol.dispose]: () => db.close(),
  }
}

function fromRow({ kind, der, issuedAt, revokedAt, reason }: Row): IssuedCertificate {
  const issued = { certificate: parseCertificate(der), kind, issuedAt: new Date(issuedAt) }
  if (revokedAt === null || reason === null) return issued
  return { ...issued, revocation: { revokedAt: new Date(revokedAt), reason } }
}
