import { parseCertificate, type Certificate } from '../certificate.ts'
import type { ProfileName } from '../profiles.ts'
import type { RevocationReason } from '../revocation-reason.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import type { IssuerName } from './issuers.ts'

export interface IssuedCertificate {
  readonly certificate: Certificate
  readonly issuer: IssuerName
  readonly kind: ProfileName
  readonly issuedAt: Date
  /** Certificates of one enrolment may renew each other's. */
  readonly enrolment?: string
  readonly revocation?: Revocation
}

export interface Revocation {
  readonly revokedAt: Date
  readonly reason: RevocationReason
}

/** Every certificate the authority issued. */
export interface CertificateStore {
  /** Records a certificate; one that is recorded stays as it is. */
  readonly add: (issued: Omit<IssuedCertificate, 'revocation'>) => void
  readonly find: (serial: string) => IssuedCertificate | undefined
  /** The very certificate, not just one of its serial number. */
  readonly findExact: (certificate: Certificate) => IssuedCertificate | undefined
  /** In the order of issue. */
  readonly list: () => IssuedCertificate[]
  readonly ofEnrolment: (enrolment: string) => IssuedCertificate[]
  /** Of those an authority issued, the revoked. */
  readonly revoked: (issuer: IssuerName) => (IssuedCertificate & { revocation: Revocation })[]
  readonly counts: () => { readonly issued: number; readonly revoked: number }
  /** Revokes for good: a certificate that is revoked keeps its first date and reason. @returns false then. */
  readonly revoke: (serial: string, revokedAt: Date, reason: RevocationReason) => boolean
}

interface Row {
  readonly issuer: IssuerName
  readonly kind: ProfileName
  readonly der: Uint8Array
  readonly issuedAt: string
  readonly enrolment: string | null
  readonly revokedAt: string | null
  readonly reason: RevocationReason | null
}

export function createCertificateStore(db: Database): CertificateStore {
  const find = (serial: string): IssuedCertificate | undefined => {
    const row = db.get<Row>('SELECT * FROM certificate WHERE serial = ?', serial)
    return row && fromRow(row)
  }
  return {
    add: ({ certificate, issuer, kind, issuedAt, enrolment }) => {
      db.run(
        `INSERT INTO certificate (serial, issuer, kind, subject, notAfter, der, issuedAt, enrolment)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (serial) DO NOTHING`,
        certificate.serial,
        issuer,
        kind,
        certificate.subject,
        certificate.notAfter.toISOString(),
        certificate.der,
        issuedAt.toISOString(),
        enrolment ?? null,
      )
    },
    find,
    findExact: ({ serial, thumbprint }) => {
      const found = find(serial)
      return found?.certificate.thumbprint === thumbprint ? found : undefined
    },
    list: () => db.all<Row>('SELECT * FROM certificate ORDER BY position').map(fromRow),
    ofEnrolment: (enrolment) =>
      db
        .all<Row>('SELECT * FROM certificate WHERE enrolment = ? ORDER BY position', enrolment)
        .map(fromRow),
    revoked: (issuer) =>
      db
        .all<Row>(
          `SELECT * FROM certificate WHERE issuer = ? AND revokedAt IS NOT NULL
           ORDER BY revokedAt, position`,
          issuer,
        )
        .map(fromRow)
        .flatMap((row) => (row.revocation ? [{ ...row, revocation: row.revocation }] : [])),
    counts: () => ({
      ...db.get<{ issued: number; revoked: number }>(
        'SELECT count(*) AS issued, count(revokedAt) AS revoked FROM certificate',
      )!,
    }),
    revoke: (serial, revokedAt, reason) =>
      db.run(
        'UPDATE certificate SET revokedAt = ?, reason = ? WHERE serial = ? AND revokedAt IS NULL',
        revokedAt.toISOString(),
        reason,
        serial,
      ) === 1,
  }
}

function fromRow(row: Row): IssuedCertificate {
  const { issuer, kind, der, issuedAt, enrolment, revokedAt, reason } = row
  const revocation =
    revokedAt === null || reason === null
      ? {}
      : { revocation: { revokedAt: new Date(revokedAt), reason } }
  return {
    certificate: parseCertificate(der),
    issuer,
    kind,
    issuedAt: new Date(issuedAt),
    ...(enrolment === null ? {} : { enrolment }),
    ...revocation,
  }
}
