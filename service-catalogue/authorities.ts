import type { JSONSchemaType } from 'ajv'
import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { keyFault } from '../pki/keys.ts'
import { linkSignatureFault } from '../pki/path.ts'
import { canonicalJson } from '../protocol/canonical-json.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { SubjectProfile } from '../protocol/snapshot.ts'
import { bodyParser, type Route } from '../runtime/admin-api.ts'
import { named, object, oneOf, text, time } from '../runtime/route-description.ts'
import { keepingPaths } from './approved-authorities.ts'
import { readCertificate } from './certificates.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { invalid, pemList } from './input.ts'
import { createNamedRoutes } from './named-routes.ts'
import { refuseFaulty, subjectProfileSchema } from './subject-profiles.ts'

export interface AuthorityView {
  readonly name: string
  /** PEM, root first. */
  readonly certificates: string[]
  /** When the first of them ends. */
  readonly notAfter: string
  /** Absent: it writes subjects as our own authority does. */
  readonly subjectProfile?: SubjectProfile
  /** Whether its OCSP responder repeats nonces. */
  readonly ocspNonce: 'required' | 'optional'
}

interface Terms {
  readonly subjectProfile?: SubjectProfile
  readonly ocspNonce: AuthorityView['ocspNonce']
}

const parseAuthority = bodyParser<{ certificates: string[] } & Terms>({
  type: 'object',
  additionalProperties: false,
  required: ['certificates'],
  properties: {
    certificates: pemList,
    subjectProfile: subjectProfileSchema,
    ocspNonce: { type: 'string', enum: ['required', 'optional'], default: 'required' },
  },
} as unknown as JSONSchemaType<{ certificates: string[] } & Terms>)

const AUTHORITY = named(
  'Authority',
  object(
    {
      name: text,
      certificates: { ...pemList, description: 'PEM, root first.' },
      notAfter: { ...time, description: 'When the first of them ends.' },
      ocspNonce: oneOf('required', 'optional'),
    },
    { subjectProfile: subjectProfileSchema },
  ),
)

export function createAuthorityRoutes(context: CatalogueContext): Route[] {
  const { db, clock, changes, verifyRoots } = context
  return createNamedRoutes(
    {
      path: '/admin/authorities',
      plural: 'authorities',
      singular: 'authority',
      words: 'approved authorities',
      view: AUTHORITY,
      parse: parseAuthority,
      refusals: ['admin.conflict', 'certificate.expired', 'certificate.not-yet-valid'],
      list: () => listAuthorities(db),
      find: (name) => findAuthority(db, name),
      store: (name, body) => {
        const { certificates: pems, ...terms } = parseAuthority(body)
        const certificates = readChain(pems, clock())
        if (terms.subjectProfile) refuseFaulty(terms.subjectProfile)
        return () =>
          keepingPaths(db, clock(), () => {
            storeAuthority(db, name, certificates, terms)
            refuseTwoTerms(db)
            verifyRoots()
          })
      },
      remove: (name) =>
        keepingPaths(db, clock(), () => db.run('DELETE FROM authority WHERE name = ?', name)),
    },
    changes,
  )
}

/** Root first; each of the others is issued by one before it. */
function readChain(pems: readonly string[], at: Date): Certificate[] {
  const chain = pems.map((pem, i) => readCertificate(`certificates/${i}`, pem))
  chain.forEach((certificate, i) => {
    const field = `certificates/${i}`
    refuseUnusable(field, certificate, at)
    const issuers = i === 0 ? [certificate] : chain.slice(0, i)
    if (issuers.some((issuer) => isIssuedBy(certificate, issuer))) return
    throw invalid(
      field,
      i === 0
        ? 'the first certificate must be the root, signed by itself'
        : `no certificate before it is its issuer, ${certificate.issuer}; send the root first`,
    )
  })
  return chain
}

function refuseUnusable(field: string, certificate: Certificate, at: Date): void {
  const { isCa, keyUsage, notBefore, notAfter, publicKey } = certificate
  if (!isCa || keyUsage?.has('keyCertSign') === false) {
    throw invalid(field, 'it is not the certificate of an authority (basicConstraints CA:TRUE)')
  }
  const fault = keyFault(publicKey)
  if (fault !== undefined) throw invalid(field, fault)
  if (at < notBefore || at > notAfter) {
    throw new ExchangeError(
      at < notBefore ? 'certificate.not-yet-valid' : 'certificate.expired',
      `${field}: it is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
    )
  }
}

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return (
    certificate.issuerDer.equals(issuer.subjectDer) &&
    linkSignatureFault(certificate, issuer) === undefined
  )
}

function storeAuthority(
  db: Database,
  name: string,
  certificates: readonly Certificate[],
  { subjectProfile, ocspNonce }: Terms,
): void {
  db.run(
    `INSERT INTO authority (name, subjectProfile, ocspNonce) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET subjectProfile = excluded.subjectProfile, ocspNonce = excluded.ocspNonce`,
    name,
    subjectProfile === undefined ? null : canonicalJson(subjectProfile),
    ocspNonce,
  )
  db.run('DELETE FROM authority_certificate WHERE authority = ?', name)
  certificates.forEach(({ der }, position) =>
    db.run('INSERT INTO authority_certificate VALUES (?, ?, ?)', name, position, der),
  )
}

/** A path tells by its root whose terms are meant: one root has one set of them. */
function refuseTwoTerms(db: Database): void {
  const twice = db.get<{ one: string; other: string }>(
    `SELECT a.name AS one, b.name AS other FROM authority a JOIN authority b ON a.name < b.name
     JOIN authority_certificate ac ON ac.authority = a.name AND ac.position = 0
     JOIN authority_certificate bc ON bc.authority = b.name AND bc.position = 0
     WHERE ac.der = bc.der
       AND (a.subjectProfile IS NOT b.subjectProfile OR a.ocspNonce <> b.ocspNonce)`,
  )
  if (twice === undefined) return
  throw new ExchangeError(
    'admin.conflict',
    `${twice.one} and ${twice.other} have one root, so they must have one subjectProfile and one ocspNonce`,
  )
}

function listAuthorities(db: Database): AuthorityView[] {
  return db
    .all<{ name: string }>('SELECT name FROM authority ORDER BY name')
    .flatMap(({ name }) => findAuthority(db, name) ?? [])
}

function findAuthority(db: Database, name: string): AuthorityView | undefined {
  const row = db.get<{ subjectProfile: string | null; ocspNonce: AuthorityView['ocspNonce'] }>(
    'SELECT subjectProfile, ocspNonce FROM authority WHERE name = ?',
    name,
  )
  if (row === undefined) return undefined
  const { subjectProfile, ocspNonce } = row
  const rows = db.all<{ der: Uint8Array }>(
    'SELECT der FROM authority_certificate WHERE authority = ? ORDER BY position',
    name,
  )
  const certificates = rows.map(({ der }) => parseCertificate(der))
  const endsAt = Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))
  return {
    name,
    certificates: certificates.map(({ pem }) => pem),
    notAfter: new Date(endsAt).toISOString(),
    ...(subjectProfile === null
      ? {}
      : { subjectProfile: JSON.parse(subjectProfile) as SubjectProfile }),
    ocspNonce,
  }
}
