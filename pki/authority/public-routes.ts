import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiReply, ApiRequest, Route } from '../../runtime/admin-api.ts'
import { media } from '../../runtime/route-description.ts'
import type { Authority } from './authority.ts'
import type { PublishedCrl } from './crl-publisher.ts'
import { ISSUER_NAMES, type IssuerName } from './issuers.ts'
import type { OcspAnswer } from './ocsp-responder.ts'

const OCSP_ANSWER = media('application/ocsp-response')

/** What anyone may read: certificates of the authority, revocation states and lists. */
export function createPublicRoutes({ authority }: { readonly authority: Authority }): Route[] {
  const { root, issuers, chain } = authority
  const certificates = { root, ...issuers }
  return [
    ...ISSUER_NAMES.flatMap((name) => [
      file('A certificate of the authority', `/ca/${name}.pem`, PEM_CHAIN, certificates[name].pem),
      // RFC 5280 §4.2.2.1: what caIssuers points to is one certificate in DER
      file(
        'A certificate of the authority, in DER',
        `/ca/${name}.cer`,
        'application/pkix-cert',
        certificates[name].der,
      ),
      revocationList(authority, name),
    ]),
    file('All certificates of the authority', '/ca/chain.pem', PEM_CHAIN, chain),
    {
      method: 'POST',
      path: '/ocsp',
      access: 'public',
      about: {
        summary: 'State of a certificate, by OCSP (RFC 6960)',
        answers: { 200: OCSP_ANSWER },
      },
      rawBody: 'application/ocsp-request',
      handle: (request) => ocspReply(authority, request, bytesOf(request.body)),
    },
    {
      method: 'GET',
      path: '/ocsp/*request',
      access: 'public',
      about: {
        summary: 'State of a certificate, by OCSP in a GET (RFC 6960 appendix A)',
        answers: { 200: OCSP_ANSWER },
      },
      handle: (request) => ocspReply(authority, request, decodeRequest(request.params.request)),
    },
    {
      // RFC 3161 §3.4
      method: 'POST',
      path: '/tsp',
      access: 'public',
      about: {
        summary: 'A time-stamp (RFC 3161)',
        answers: { 200: media('application/timestamp-reply') },
      },
      rawBody: 'application/timestamp-query',
      handle: async ({ body, remoteAddress }) => ({
        headers: { 'content-type': 'application/timestamp-reply', 'cache-control': 'no-store' },
        body: await authority.answerTimeStamp(bytesOf(body), remoteAddress),
      }),
    },
  ]
}

const PEM_CHAIN = 'application/pem-certificate-chain' // RFC 8555 §9.1

function file(summary: string, path: string, type: string, body: string | Buffer): Route {
  return {
    method: 'GET',
    path,
    access: 'public',
    about: { summary, answers: { 200: media(type) } },
    handle: () => ({ headers: { 'content-type': type }, body }),
  }
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

async function ocspReply(
  { answerOcsp, journal }: Authority,
  { remoteAddress }: ApiRequest,
  request: Uint8Array,
): Promise<ApiReply> {
  const { der, cacheable, refusal }: OcspAnswer = await answerOcsp(request)
  if (refusal !== undefined) {
    journal.refused({ subject: 'ocsp', ...refusal, remoteAddress, bytes: request.length })
  }
  const type = { 'content-type': 'application/ocsp-response' }
  if (cacheable === undefined) {
    return { headers: { ...type, 'cache-control': 'no-store' }, body: der }
  }
  // RFC 6960 appendix A.2, RFC 5019 §6.2; of the two ends, max-age is the one that counts (RFC 9111 §5.3)
  return {
    headers: {
      ...type,
      'cache-control': `max-age=${CACHE_SECONDS}, public, no-transform, must-revalidate`,
      'last-modified': cacheable.from.toUTCString(),
      expires: cacheable.until.toUTCString(),
      etag: entityTag(der),
    },
    body: der,
  }
}

/** RFC 5280 §4.2.1.13: what the distribution point of a certificate names is one list in DER. */
function revocationList({ revocationLists }: Authority, name: IssuerName): Route {
  return {
    method: 'GET',
    path: `/crl/${name}.crl`,
    access: 'public',
    about: {
      summary: 'A revocation list (RFC 5280)',
      answers: {
        200: media('application/pkix-crl'),
        304: { description: 'The caller has it already.' },
      },
      refusals: ['admin.not-found'],
    },
    handle: async ({ headers }) => {
      const list = await revocationLists.current(name)
      if (list !== undefined) return crlReply(list, headers['if-none-match'])
      throw new ExchangeError('admin.not-found', `there is no revocation list of ${name} yet`)
    },
  }
}

function crlReply({ der, thisUpdate, nextUpdate }: PublishedCrl, known: unknown): ApiReply {
  const etag = entityTag(der)
  const headers = {
    // A cache asks again each minute: the next list may be issued at any time (RFC 9111 §5.2.2.2).
    'cache-control': `max-age=${CACHE_SECONDS}, public, no-transform, must-revalidate`,
    'last-modified': thisUpdate.toUTCString(),
    expires: nextUpdate.toUTCString(),
    etag,
  }
  if (known === etag) return { status: 304, headers }
  return { headers: { ...headers, 'content-type': 'application/pkix-crl' }, body: der } // RFC 2585 §4.2
}

function entityTag(bytes: Uint8Array): string {
  return `"${createHash('sha256').update(bytes).digest('hex')}"`
}
