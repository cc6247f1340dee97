import { CertificateError, parseCertificate, type Certificate } from '../pki/certificate.ts'
import type { CertificateIdentity } from '../pki/identity.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import { named, NOTHING, object, putAnswers, text, time } from '../runtime/route-description.ts'
import { approvedAuthorities } from './approved-authorities.ts'
import { verifyOwner } from './certificate-owner.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { invalid } from './input.ts'

export interface CertificateView {
  /** base64url of SHA-256 over the DER. */
  readonly thumbprint: string
  readonly subject: string
  readonly issuer: string
  readonly notBefore: string
  readonly notAfter: string
  readonly pem: string
}

export const CERTIFICATE = named(
  'Certificate',
  object({
    thumbprint: { ...text, description: 'SHA-256 of the DER, base64url.' },
    subject: text,
    issuer: text,
    notBefore: time,
    notAfter: time,
    pem: text,
  }),
)

/** Who may have certificates: a member for its seal, a gateway for TLS. */
export type CertificateOwner = 'member' | 'gateway'

export interface CertificateRoutesOptions {
  /** Of the owner; `/certificates` is added. */
  readonly path: string
  readonly owner: CertificateOwner
  readonly purpose: 'signing' | 'authentication'
  readonly idOf: (request: ApiRequest) => string
  /** Whom the certificate has to name. */
  readonly identityOf: (params: ApiRequest['params']) => CertificateIdentity
  /** Throws `admin.not-found`. */
  readonly refuseUnknown: (id: string) => unknown
}

const parseBody = bodyParser<{ certificate: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['certificate'],
  properties: { certificate: { type: 'string', minLength: 1, maxLength: 65_536 } },
})

/**
 * Registers and removes certificates of an owner. What is registered led to an approved authority
 * at that time and names the owner: `certificate.expired`, `certificate.untrusted`, `admin.invalid`.
 */
export function certificateRoutes(
  { db, clock, changes }: CatalogueContext,
  { path, owner, purpose, idOf, identityOf, refuseUnknown }: CertificateRoutesOptions,
): Route[] {
  return [
    {
      method: 'POST',
      path: `${path}/certificates`,
      access: 'member-admin',
      about: {
        summary: `Put a certificate of a ${owner}`,
        details: 'It leads to an approved authority, and names its owner.',
        body: parseBody,
        answers: putAnswers(CERTIFICATE),
        refusals: [
          'admin.not-found',
          'admin.conflict',
          'certificate.expired',
          'certificate.not-yet-valid',
          'certificate.untrusted',
        ],
      },
      handle: (request) => {
        const id = idOf(request)
        const certificate = readCertificate('certificate', parseBody(request.body).certificate)
        const { thumbprint, der } = certificate
        return changes.put({
          action: 'add-certificate',
          subject: `${purpose} certificate ${thumbprint} of ${owner} ${id}`,
          read: () => findCertificate(db, owner, id, thumbprint),
          apply: () => {
            refuseUnknown(id)
            const approved = { ...approvedAuthorities(db), at: clock(), purpose }
            verifyOwner(certificate, identityOf(request.params), approved)
            db.run(
              `INSERT INTO certificate (thumbprint, der, ${owner}) VALUES (?, ?, ?)
               ON CONFLICT DO NOTHING`,
              thumbprint,
              der,
              id,
            )
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: `${path}/certificates/:thumbprint`,
      access: 'member-admin',
      about: {
        summary: `Remove a certificate of a ${owner}`,
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        const id = idOf(request)
        const thumbprint = request.params.thumbprint ?? ''
        return changes.remove({
          action: 'remove-certificate',
          subject: `${purpose} certificate ${thumbprint} of ${owner} ${id}`,
          read: () => findCertificate(db, owner, id, thumbprint),
          apply: () => db.run('DELETE FROM certificate WHERE thumbprint = ?', thumbprint),
        })
      },
    },
  ]
}

/** @throws ExchangeError `admin.invalid` naming the field. */
export function readCertificate(field: string, pem: string): Certificate {
  try {
    return parseCertificate(pem)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    throw invalid(field, `${error.message}; send one certificate in PEM form`, error)
  }
}

export function certificatesOf(
  db: Database,
  owner: CertificateOwner,
  id: string,
): CertificateView[] {
  return db
    .all<{ der: Uint8Array }>(
      `SELECT der FROM certificate WHERE ${owner} = ? ORDER BY thumbprint`,
      id,
    )
    .map(({ der }) => toView(parseCertificate(der)))
}

function findCertificate(
  db: Database,
  owner: CertificateOwner,
  id: string,
  thumbprint: string,
): CertificateView | undefined {
  const row = db.get<{ der: Uint8Array }>(
    `SELECT der FROM certificate WHERE ${owner} = ? AND thumbprint = ?`,
    id,
    thumbprint,
  )
  return row && toView(parseCertificate(row.der))
}

function toView({ thumbprint, subject, issuer, pem, ...life }: Certificate): CertificateView {
  const { notBefore, notAfter } = life
  return {
    thumbprint,
    subject,
    issuer,
    notBefore: notBefore.toISOString(),
    notAfter: notAfter.toISOString(),
    pem,
  }
}
