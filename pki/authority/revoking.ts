import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { RevocationReason } from '../revocation-reason.ts'
import type { CertificateStore, IssuedCertificate } from './certificate-store.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import type { Journal } from './journal.ts'

const OWN_KINDS: readonly string[] = ['root-authority', 'issuing-authority', 'ocsp-responder']

/**
 * Revokes a certificate for good. Repeating it changes nothing.
 *
 * @throws ExchangeError `admin.not-found`, `admin.conflict` for a certificate of the authority itself.
 */
export function revokeCertificate(
  deps: {
    readonly db: Database
    readonly store: CertificateStore
    readonly journal: Journal
    readonly clock: Clock
  },
  serial: string,
  reason: RevocationReason,
): IssuedCertificate {
  const { db, store, journal, clock } = deps
  const { kind, certificate } = findIssued(store, serial)
  // Nobody asks OCSP about these (RFC 6960 §4.2.2.2.1): saying yes would promise what does not happen.
  if (OWN_KINDS.includes(kind)) {
    throw new ExchangeError(
      'admin.conflict',
      `a certificate of kind ${kind} is withdrawn from the catalogue`,
    )
  }
  db.transaction(() => {
    if (!store.revoke(serial, clock(), reason)) return
    const detail = `${reason}: ${kind} for ${certificate.subject}`
    journal.append({ action: 'certificate-revoked', subject: serial, detail })
  })
  return findIssued(store, serial)
}

/** @throws ExchangeError `admin.not-found` */
export function findIssued(
  { find }: Pick<CertificateStore, 'find'>,
  serial: string,
): IssuedCertificate {
  const found = find(serial)
  if (found !== undefined) return found
  throw new ExchangeError('admin.not-found', `no certificate was issued with serial ${serial}`)
}
