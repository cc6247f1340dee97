import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiReply, ApiRequest, Route } from '../../runtime/admin-api.ts'
import { ENCODING_REFUSALS, media, type RouteDescription } from '../../runtime/route-description.ts'
import type { Certificate } from '../certificate.ts'
import { readPem } from '../pem.ts'
import { createCertsOnly } from '../pkcs7.ts'
import type { Authority } from './authority.ts'
import { csrAttributes } from './csr-attributes.ts'
import { ISSUING_NAMES, type IssuingName } from './issuers.ts'

const BASE = '/.well-known/est'

/** Sent with 401 (RFC 7030 §3.2.3). */
export const EST_CHALLENGE = 'Basic realm="one-time code", charset="UTF-8"'

/**
 * Enrollment over Secure Transport (RFC 7030), on a port that asks for a client certificate and judges it
 * itself. A path may name the authority that is to issue: `/.well-known/est/signing/simpleenroll` (§3.2.2).
 */
export function createEstRoutes({ authority }: { readonly authority: Authority }): Route[] {
  const { root, issuers, enrol, reEnrol } = authority
  const all = [root, issuers.authentication, issuers.signing]
  const operations: readonly [
    method: Route['method'],
    name: keyof typeof ABOUT,
    handle: Operation,
  ][] = [
    ['GET', 'cacerts', () => certsOnly(all)], // §4.1.3
    [
      'GET',
      'csrattrs',
      () => base64('application/csrattrs', csrAttributes()), // §4.5.2
    ],
    [
      'POST',
      'simpleenroll',
      async ({ headers, body, remoteAddress }, label) => {
        const code = passwordOf(headers.authorization)
        const enrolled = await enrol({ csr: readBody(body), code, label, remoteAddress })
        if ('certificate' in enrolled) return certsOnly([enrolled.certificate])
        // §4.2.3: the same request again later
        const seconds = Math.ceil(enrolled.retryAfterMs / 1000)
        return {
          status: 202,
          headers: { 'retry-after': String(seconds), 'content-type': 'text/plain; charset=utf-8' },
          body: `enrolment.pending: the operator has to approve; send the same request again in ${seconds} seconds\n`,
        }
      },
    ],
    [
      'POST',
      'simplereenroll',
      async ({ body, peerCertificate, remoteAddress }, label) => {
        const csr = readBody(body)
        return certsOnly([await reEnrol({ csr, peerCertificate, label, remoteAddress })])
      },
    ],
  ]
  return operations.flatMap(([method, name, handle]) => {
    const about = ABOUT[name]
    const route = { method, access: 'public', rawBody: 'application/pkcs10', about } as const
    return [
      { ...route, path: `${BASE}/${name}`, handle: (request) => handle(request, undefined) },
      {
        ...route,
        path: `${BASE}/:label/${name}`,
        handle: (request) => handle(request, readLabel(request.params.label)),
      },
    ] satisfies Route[]
  })
}

const CERTIFICATES = media('application/pkcs7-mime', 'certs-only, base64.')
const ENROL_REFUSALS = [
  ...ENCODING_REFUSALS,
  ...(['request.route-unknown', 'enrolment.unauthenticated', 'enrolment.code-invalid'] as const),
  ...(['enrolment.code-expired', 'enrolment.code-used', 'enrolment.proof-invalid'] as const),
  ...(['enrolment.key-refused', 'enrolment.identity-mismatch'] as const),
  ...(['enrolment.extension-refused', 'enrolment.rejected', 'enrolment.unavailable'] as const),
  ...(['certificate.expired', 'certificate.revoked', 'certificate.untrusted'] as const),
] as const
const ABOUT = {
  cacerts: {
    summary: 'Certificates of the authority',
    answers: { 200: CERTIFICATES },
    refusals: ['request.route-unknown'],
  },
  csrattrs: {
    summary: 'What a request should have',
    answers: { 200: media('application/csrattrs') },
    refusals: ['request.route-unknown'],
  },
  simpleenroll: {
    summary: 'Enrol, by a one-time code',
    proof: 'code',
    answers: { 200: CERTIFICATES, 202: media('text/plain', 'The operator has to approve first.') },
    refusals: ENROL_REFUSALS,
  },
  simplereenroll: {
    summary: 'Renew, by the certificate that ends',
    proof: 'certificate',
    answers: { 200: CERTIFICATES },
    refusals: ENROL_REFUSALS,
  },
} as const satisfies Record<string, RouteDescription>

type Operation = (
  request: ApiRequest,
  label: IssuingName | undefined,
) => ApiReply | Promise<ApiReply>

function readLabel(text: string | undefined): IssuingName {
  const label = ISSUING_NAMES.find((name) => name === text)
  if (label !== undefined) return label
  throw new ExchangeError('request.route-unknown', `there is no authority ${text} here`)
}

/** Password of RFC 7617; the user name is of no matter. */
function passwordOf(authorization: unknown): string | undefined {
  if (typeof authorization !== 'string') return undefined
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization)?.[1]
  const text = encoded && Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text?.indexOf(':') ?? -1
  return colon < 0 ? undefined : text!.slice(colon + 1)
}

/**
 * DER of a body in base64, whatever its lines (RFC 8951 §3.1 says to ignore Content-Transfer-Encoding); the
 * armour of PEM around it is passed over.
 */
function readBody(body: unknown): Buffer {
  if (!Buffer.isBuffer(body)) {
    throw new ExchangeError('request.malformed', 'send the request as application/pkcs10')
  }
  const text = body.toString('latin1')
  const [armoured, ...more] = readPem('CERTIFICATE REQUEST', text.replaceAll('NEW CERT', 'CERT'))
  if (armoured !== undefined && more.length === 0) return armoured
  const letters = text.replace(/\s/g, '')
  if (letters === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(letters)) {
    throw new ExchangeError('encoding.malformed', 'the body is not a PKCS#10 request in base64')
  }
  return Buffer.from(letters, 'base64')
}

function certsOnly(certificates: readonly Certificate[]): ApiReply {
  return base64('application/pkcs7-mime; smime-type=certs-only', createCertsOnly(certificates))
}

function base64(type: string, der: Buffer): ApiReply {
  const lines = der.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n')
  return {
    headers: { 'content-type': type, 'content-transfer-encoding': 'base64' },
    // As bytes: a charset behind the media type would be none of RFC 7030's
    body: Buffer.from(`${lines}\r\n`),
  }
}
