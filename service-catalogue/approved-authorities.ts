import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import type { CertificateIdentity } from '../pki/identity.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { SubjectProfile } from '../protocol/snapshot.ts'
import { verifyOwner } from './certificate-owner.ts'
import type { Database } from '../runtime/sqlite-database.ts'

export interface ApprovedAuthority {
  readonly name: string
  readonly root: Certificate
  readonly intermediates: readonly Certificate[]
  /** Undefined: it writes subjects as our own authority does. */
  readonly subjectProfile: SubjectProfile | undefined
}

export interface ApprovedAuthorities {
  /** By name, which is the order in which paths to them are looked for. */
  readonly authorities: readonly ApprovedAuthority[]
  readonly anchors: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
}

export function approvedAuthorities(db: Database): ApprovedAuthorities {
  const rows = db.all<{ name: string; subjectProfile: string | null; der: Uint8Array }>(
    `SELECT name, subjectProfile, der FROM authority
     JOIN authority_certificate ON authority = name ORDER BY name, position`,
  )
  const authorities = [...Map.groupBy(rows, ({ name }) => name)].map(([name, certificates]) => {
    const [root, ...intermediates] = certificates.map(({ der }) => parseCertificate(der))
    const profile = certificates[0]?.subjectProfile
    const subjectProfile = profile ? (JSON.parse(profile) as SubjectProfile) : undefined
    return { name, root: root!, intermediates, subjectProfile }
  })
  return {
    authorities,
    anchors: authorities.map(({ root }) => root),
    intermediates: authorities.flatMap(({ intermediates }) => intermediates),
  }
}

interface RegisteredCertificate {
  /** In words: `member KH-DEV/GOV/MOI`. */
  readonly owner: string
  readonly identity: CertificateIdentity
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
      identity: identityOf(member ?? gateway ?? ''),
      purpose: member === null ? 'authentication' : 'signing',
      certificate: parseCertificate(der),
    }))
}

/** From the id of a member or gateway, whose parts hold no slash. */
function identityOf(id: string): CertificateIdentity {
  const [instance = '', memberClass = '', member = '', gateway] = id.split('/')
  return { instance, memberClass, member, ...(gateway === undefined ? {} : { gateway }) }
}

/**
 * Runs a change of the approved authorities, inside the caller's transaction.
 *
 * @throws ExchangeError `admin.conflict` naming a registered certificate that led to an approved
 * authority before, and named its owner by that one's profile, and does not any more: removing one by
 * mistake would stop its members at once.
 */
export function keepingPaths(db: Database, at: Date, change: () => void): void {
  const leads = (
    { certificate, purpose, identity }: RegisteredCertificate,
    authorities: ApprovedAuthorities,
  ): boolean => {
    try {
      verifyOwner(certificate, identity, { ...authorities, at, purpose })
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
    `the ${lost.purpose} certificate ${certificate.thumbprint} of ${owner} leads to this authority as it was; remove it from its owner first`,
  )
}
