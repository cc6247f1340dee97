import { createHash } from 'node:crypto'
import type { JSONSchemaType } from 'ajv'
import { bodyParser, type ApiReply, type Route } from '../../runtime/admin-api.ts'
import type { CertificateKind } from '../identity.ts'
import type { RevocationReason } from '../revocation-reason.ts'
import type { Authority } from './authority.ts'
import type { IssuedCertificate } from './certificate-store.ts'
import type { OcspAnswer } from './ocsp-responder.ts'

interface IssueBody {
  csr: string
  kind: CertificateKind
  identity: { memberClass: string; member: string; gateway?: string; subsystem?: string }
  subjectAltNames?: string[]
  validityDays?: number
}

const part = { type: 'string', minLength: 1, maxLength: 255 } as const
const issueSchema: JSONSchemaType<IssueBody> = {
  type: 'object',
  additionalProperties: false,
  required: ['csr', 'kind', 'identity'],
  properties: {
    csr: { type: 'string', minLength: 1, maxLength: 65_536 },
    kind: { type: 'string', enum: ['authentication', 'signing', 'information-system', 'server'] },
    identity: {
      type: 'object',
      additionalProperties: false,
      required: ['memberClass', 'member'],
      properties: {
        memberClass: part,
        member: part,
        gateway: { ...part, nullable: true },
        subsystem: { ...part, nullable: true },
      },
    },
    subjectAltNames: {
      type: 'array',
      maxItems: 32,
      items: { type: 'string', minLength: 1, maxLength: 253 },
      nullable: true,
    },
    validityDays: { type: 'integer', minimum: 1, maximum: 3650, nullable: true },
  },
}
const parseIssueBody = bodyParser(issueSchema)

/** Those of RFC 5280 §5.3.1 that are said of a leaf for good: a hold could be lifted, ours cannot. */
type LeafReason = Exclude<
  RevocationReason,
  'certificateHold' | 'removeFromCRL' | 'cACompromise' | 'aACompromise'
>
const revokeSchema: JSONSchemaType<{ reason: LeafReason }> = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    reason: {
      type: 'string',
      enum: [
        'unspecified',
        'keyCompromise',
        'affiliationChanged',
        'superseded',
        'cessationOfOperation',
        'privilegeWithdrawn',
      ],
    },
  },
}
const parseRevokeBody = bodyParser(revokeSchema)

/** The operations of the authority: what anyone may read, and what its administrator does. */
export function createAuthorityRoutes({ authority }: { readonly authority: Authority }): {
  publicRoutes: Route[]
  adminRoutes: Route[]
} {
  const { instance, root, issuing, chain } = authority
  const status: Route = {
    method: 'GET',
    path: '/status',
    access: 'public',
    handle: () => ({ body: { program: 'authority', instance, ready: true } }),
  }
  return {
    publicRoutes: [
      status,
      file('/ca/root.pem', PEM_CHAIN, root.pem),
      file('/ca/issuing.pem', PEM_CHAIN, issuing.pem),
      file('/ca/chain.pem', PEM_CHAIN, chain),
      // RFC 5280 §4.2.2.1: what caIssuers points to is one certificate in DER
      file('/ca/root.cer', 'application/pkix-cert', root.der),
      file('/ca/issuing.cer', 'application/pkix-cert', issuing.der),
      {
        method: 'POST',
        path: '/ocsp',
        access: 'public',
        rawBody: 'application/ocsp-request',
        handle: async ({ body }) => ocspReply(await authority.answerOcsp(bytesOf(body))),
      },
      {
        method: 'GET',
        path: '/ocsp/*request',
        access: 'public',
        handle: async ({ params }) =>
          ocspReply(await authority.answerOcsp(decodeRequest(params.request))),
      },
    ],
    adminRoutes: [
      status,
      {
        method: 'GET',
        path: '/admin/status',
        access: 'admin',
        handle: () => ({
          body: {
            program: 'authority',
            instance,
            ready: true,
            root: { thumbprint: root.thumbprint, notAfter: root.notAfter },
            issuing: { thumbprint: issuing.thumbprint, notAfter: issuing.notAfter },
            certificates: authority.counts(),
          },
        }),
      },
      {
        method: 'GET',
        path: '/admin/certificates',
        access: 'admin',
        handle: () => ({ body: { certificates: authority.list().map(describe) } }),
      },
      {
        method: 'POST',
        path: '/admin/certificates',
        access: 'admin',
        handle: async ({ body }) => {
          const { csr, kind, identity, subjectAltNames, validityDays } = parseIssueBody(body)
          const certificate = await authority.issue({
            csr,
            kind,
            identity: { instance, ...withoutNull(identity) },
            ...(subjectAltNames ? { subjectAltNames } : {}),
            ...(validityDays ? { validityDays: validityDays } : {}),
          })
          return {
            status: 201,
            body: { certificate: certificate.pem, chain, serial: certificate.serial },
          }
        },
      },
      {
        method: 'POST',
        path: '/admin/certificates/:serial/revoke',
        access: 'admin',
        handle: ({ params, body }) => {
          const { reason } = parseRevokeBody(body)
          return { body: describe(authority.revoke(params.serial!.toLowerCase(), reason)) }
        },
      },
    ],
  }
}

const PEM_CHAIN = 'application/pem-certificate-chain' // RFC 8555 §9.1

function file(path: string, type: string, body: string | Buffer): Route {
  return {
    method: 'GET',
    path,
    access: 'public',
    handle: () => ({ headers: { 'content-type': type }, body }),
  }
}

function describe({ certificate, kind, issuedAt, revocation }: IssuedCertificate): object {
  const { serial, subject, thumbprint, notBefore, notAfter } = certificate
  return { serial, kind, subject, thumbprint, notBefore, notAfter, issuedAt, ...revocation }
}

/** Bytes of a body that came with another media type are no request, and are answered as such. */
function bytesOf(body: unknown): Uint8Array {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

/** RFC 6960 appendix A.1: base64, in which a slash may come as it is and as %2F. */
function decodeRequest(path: string | readonly string[] | undefined): Buffer {
  return Buffer.from([path ?? ''].flat().join('/'), 'base64')
}

/** Short, so that a cache in between does not hide a revocation for long. */
const CACHE_SECONDS = 60

/** RFC 6960 appendix A.2, RFC 5019 §6.2. */
function ocspReply({ der, cacheableFrom }: OcspAnswer): ApiReply {
  const type = { 'content-type': 'application/ocsp-response' }
  if (cacheableFrom === undefined) {
    return { headers: { ...type, 'cache-control': 'no-store' }, body: der }
  }
  return {
    headers: {
      ...type,
      'cache-control': `max-age=${CACHE_SECONDS}, public, no-transform, must-revalidate`,
      'last-modified': cacheableFrom.toUTCString(),
      expires: new Date(cacheableFrom.getTime() + CACHE_SECONDS * 1000).toUTCString(),
      etag: `"${createHash('sha256').update(der).digest('hex')}"`,
    },
    body: der,
  }
}

/** JSON's null and a missing key say the same. */
function withoutNull<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null)) as T
}
