import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { verifyPath } from '../pki/path.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { Database } from './database.ts'

export interface ApprovedAuthorities {
  readonly anchors: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
}

/** The roots, and what stands below them. */
export function approvedAuthorities(db: Database): ApprovedAuthorities {
  const certificates = db
    .all<{ position: number; der: Uint8Array }>(
      'SELECT position, der FROM authority_certificate ORDER BY authority, position',
    )
    .map(({ position, der }) => ({ isRoot: position === 0, certificate: parseCertificate(der) }))
  return {
    anchors: certificates.filter((c) => c.isRoot).map((c) => c.certificate),
    intermediates: certificates.filter((c) => !c.isRoot).map((c) => c.certificate),
  }
}

interface RegisteredCertificate {
  readonly owner: string
  readonly purpose: 'signing' | 'authentication'
  readonly certificate: Certificate
}

export function registeredCertificates(db: Database): RegisteredCertificate[] {
  return db
    .all<{ member: string | null; gateway: string | null; der: Uint8Array }>(
      'SELECT member, gateway, der FROM certificate ORDER BY coalesce(member, gateway), thumbprint',
    )
    .map(({ member, gateway, der }) => ({
      owner: member === null ? `gateway ${gateway}` : `member ${member}`,
      purpose: member === null ? 'authentication' : 'signing',
      certificate: parseCertificate(der),
    }))
}

/**
 * Runs a change of the approved authorities, inside the caller's transaction.
 *
 * @throws ExchangeError `admin.conflict` naming a registered certificate that led to an approved
 * authority before and does not any more: removing one by mistake would stop its members at once.
 */
export function keepingPaths(db: Database, at: Date, change: () => void): void {
  const leads = (
    { certificate, purpose }: RegisteredCertificate,
    authorities: ApprovedAuthorities,
  ): boolean => {
    try {
      verifyPath(certificate, { ...authorities, at, purpose })
      return true
    } catch (error) {
      if (error instanceof ExchangeError) return false
      throw error
    }
  }
  const before = approvedAuthorities(db)
  const valid = registeredCertificates(db).filter((registered) => leads(registered, before))
  change()
  const after = approvedAuthorities(db)
  const lost = valid.find((registered) => !leads(registered, after))
  if (lost === undefined) return
  const { certificate, owner } = lost
  throw new ExchangeError(
    'admin.conflict',
    `the ${lost.purpose} certificate ${certificate.thumbprint} of ${owner} leads to this authority`,
  )
}
