import type { JSONSchemaType } from 'ajv'
import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { keyFault } from '../pki/keys.ts'
import { OID } from '../pki/oids.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type Route } from '../runtime/admin-api.ts'
import { named, object, text, time, whole } from '../runtime/route-description.ts'
import { readCertificate } from './certificates.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { invalid, pemList } from './input.ts'
import { createNamedRoutes } from './named-routes.ts'

export interface TimeStampingAuthorityView {
  readonly name: string
  /** Where requests are sent. */
  readonly url: string
  /** PEM: what its signing certificate is, or leads to. */
  readonly certificates: string[]
  /** Gateways try the lowest first. */
  readonly order: number
  /** When the first of the certificates ends. */
  readonly notAfter: string
}

interface Body {
  readonly url: string
  readonly certificates: string[]
  /** Left out: its place stays as it is, and a new one comes last. */
  readonly order?: number
}

const parseBody = bodyParser<Body>({
  type: 'object',
  additionalProperties: false,
  required: ['url', 'certificates'],
  properties: {
    url: { type: 'string', minLength: 1, maxLength: 2000 },
    certificates: pemList,
    order: { type: 'integer', minimum: 0, maximum: 1000 },
  },
} as unknown as JSONSchemaType<Body>)

const AUTHORITY = named(
  'TimeStampingAuthority',
  object({
    name: text,
    url: text,
    certificates: pemList,
    order: { ...whole, description: 'Gateways try the lowest first.' },
    notAfter: { ...time, description: 'When the first of the certificates ends.' },
  }),
)

/** Time-stamping authorities that gateways may ask (protocol/README.md §7.6). */
export function createTimeStampingRoutes({ db, clock, changes }: CatalogueContext): Route[] {
  return createNamedRoutes(
    {
      path: '/admin/time-stamping-authorities',
      plural: 'timeStampingAuthorities',
      singular: 'time-stamping authority',
      words: 'time-stamping authorities',
      view: AUTHORITY,
      parse: parseBody,
      refusals: ['certificate.expired', 'certificate.not-yet-valid'],
      list: () => list(db),
      find: (name) => find(db, name),
      store: (name, body) => {
        const { url, certificates: pems, order } = parseBody(body)
        checkUrl(url)
        const certificates = pems.map((pem, i) => readUsable(`certificates/${i}`, pem, clock()))
        return () => store(db, { name, url, certificates, order })
      },
      remove: (name) => void db.run('DELETE FROM time_stamping_authority WHERE name = ?', name),
    },
    changes,
  )
}

function checkUrl(text: string): void {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol) && !/[#@\s]/.test(text)) return
  throw invalid('url', 'write http://HOST:PORT/PATH or https://…, without user and fragment')
}

/** RFC 3161 §2.3: a certificate that signs tokens is for that only; others must be able to issue one. */
function readUsable(field: string, pem: string, at: Date): Certificate {
  const certificate = readCertificate(field, pem)
  const { isCa, extendedKeyUsage = [], notBefore, notAfter, publicKey } = certificate
  if (!isCa && extendedKeyUsage.join() !== OID.timeStamping) {
    throw invalid(
      field,
      `${certificate.subject} is neither for time-stamping (extendedKeyUsage timeStamping, alone) nor an authority`,
    )
  }
  const fault = keyFault(publicKey)
  if (fault !== undefined) throw invalid(field, fault)
  if (at < notBefore || at > notAfter) {
    throw new ExchangeError(
      at < notBefore ? 'certificate.not-yet-valid' : 'certificate.expired',
      `${field}: it is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
    )
  }
  return certificate
}

function store(
  db: Database,
  authority: {
    readonly name: string
    readonly url: string
    readonly certificates: readonly Certificate[]
    readonly order: number | undefined
  },
): void {
  const { name, url, certificates, order } = authority
  db.run(
    `INSERT INTO time_stamping_authority VALUES
       (?1, ?2, coalesce(?3, (SELECT coalesce(max(place), 0) + 1 FROM time_stamping_authority)))
     ON CONFLICT DO UPDATE SET url = excluded.url, place = coalesce(?3, place)`,
    name,
    url,
    order ?? null,
  )
  db.run('DELETE FROM time_stamping_certificate WHERE authority = ?', name)
  certificates.forEach(({ der }, position) =>
    db.run('INSERT INTO time_stamping_certificate VALUES (?, ?, ?)', name, position, der),
  )
}

function list(db: Database): TimeStampingAuthorityView[] {
  return db
    .all<{ name: string }>('SELECT name FROM time_stamping_authority ORDER BY place, name')
    .flatMap(({ name }) => find(db, name) ?? [])
}

function find(db: Database, name: string): TimeStampingAuthorityView | undefined {
  const row = db.get<{ url: string; place: number }>(
    'SELECT url, place FROM time_stamping_authority WHERE name = ?',
    name,
  )
  if (row === undefined) return undefined
  const certificates = db
    .all<{ der: Uint8Array }>(
      'SELECT der FROM time_stamping_certificate WHERE authority = ? ORDER BY position',
      name,
    )
    .map(({ der }) => parseCertificate(der))
  const endsAt = Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))
  return {
    name,
    url: row.url,
    certificates: certificates.map(({ pem }) => pem),
    order: row.place,
    notAfter: new Date(endsAt).toISOString(),
  }
}
