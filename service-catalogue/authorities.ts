import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { keyFault } from '../pki/keys.ts'
import { linkSignatureFault } from '../pki/path.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import { keepingPaths } from './approved-authorities.ts'
import { readCertificate } from './certificates.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from './database.ts'
import { invalid, readPart } from './input.ts'

export interface AuthorityView {
  readonly name: string
  /** PEM, root first. */
  readonly certificates: string[]
  /** When the first of them ends. */
  readonly notAfter: string
}

const PATH = '/admin/authorities/:name'

const parseAuthority = bodyParser<{ certificates: string[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['certificates'],
  properties: {
    certificates: {
      type: 'array',
      minItems: 1,
      maxItems: 10,
      items: { type: 'string', minLength: 1, maxLength: 65_536 },
    },
  },
})

export function createAuthorityRoutes({ db, clock, changes }: CatalogueContext): Route[] {
  const nameOf = ({ params }: ApiRequest): string => readPart(params, 'name')
  return [
    {
      method: 'GET',
      path: '/admin/authorities',
      access: 'admin',
      handle: () => ({ body: { authorities: listAuthorities(db) } }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'admin',
      handle: (request) => {
        const name = nameOf(request)
        const certificates = readChain(parseAuthority(request.body).certificates, clock())
        return changes.put({
          action: 'put-authority',
          subject: `authority ${name}`,
          read: () => findAuthority(db, name),
          apply: () => keepingPaths(db, clock(), () => storeAuthority(db, name, certificates)),
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'admin',
      handle: (request) => {
        const name = nameOf(request)
        return changes.remove({
          action: 'delete-authority',
          subject: `authority ${name}`,
          read: () => findAuthority(db, name),
          apply: () =>
            keepingPaths(db, clock(), () => db.run('DELETE FROM authority WHERE name = ?', name)),
        })
      },
    },
  ]
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
      'certificate.expired',
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

function storeAuthority(db: Database, name: string, certificates: readonly Certificate[]): void {
  db.run('INSERT INTO authority VALUES (?) ON CONFLICT DO NOTHING', name)
  db.run('DELETE FROM authority_certificate WHERE authority = ?', name)
  certificates.forEach(({ der }, position) =>
    db.run('INSERT INTO authority_certificate VALUES (?, ?, ?)', name, position, der),
  )
}

function listAuthorities(db: Database): AuthorityView[] {
  return db
    .all<{ name: string }>('SELECT name FROM authority ORDER BY name')
    .flatMap(({ name }) => findAuthority(db, name) ?? [])
}

function findAuthority(db: Database, name: string): AuthorityView | undefined {
  const rows = db.all<{ der: Uint8Array }>(
    'SELECT der FROM authority_certificate WHERE authority = ? ORDER BY position',
    name,
  )
  if (rows.length === 0) return undefined
  const certificates = rows.map(({ der }) => parseCertificate(der))
  const endsAt = Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))
  return {
    name,
    certificates: certificates.map(({ pem }) => pem),
    notAfter: new Date(endsAt).toISOString(),
  }
}
