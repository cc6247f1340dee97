import { createHash } from 'node:crypto'
import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import {
  CONTRACT_MEDIA_TYPE,
  parseDocument,
  signersOf,
  verifyContractSignature,
  type ContractSignature,
  type SignedDocument,
} from '../protocol/contract-jws.ts'
import { ExchangeError, type ErrorCode } from '../protocol/errors.ts'
import { memberOf, readClientId, readGatewayId } from '../protocol/identifiers.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { ApiReply, ApiRequest, Route } from '../runtime/admin-api.ts'
import {
  anyObject,
  json,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
} from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import {
  documentsAfter,
  judgeDocument,
  lastPosition,
  listDocuments,
  storeDocument,
} from './contract-store.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { CURSOR, invalid } from './input.ts'
import { GATEWAY_CERTIFICATE } from './api-about.ts'
import { clientsOf } from './listed-clients.ts'
import { readWaitMs } from './request-preferences.ts'

const MAX_LISTED = 1000

const CALLER_REFUSALS = [
  'peer.certificate-missing',
  'peer.certificate-unregistered',
  'certificate.expired',
] as const satisfies readonly ErrorCode[]
const POSITION = object({ position: whole })
const DOCUMENT = named(
  'ContractDocument',
  object({
    position: whole,
    digest: text,
    kind: oneOf('contract', 'refusal', 'revocation'),
    contract: text,
    client: text,
    service: text,
    receivedAt: time,
    signedBy: listOf(text),
    content: anyObject('What was signed (protocol/README.md §13.1, §13.4).'),
  }),
)

/** Contracts on their way between gateways (protocol/README.md §13.4). */
export function createContractRoutes(context: CatalogueContext): Route[] {
  const waiting = new Set<() => void>()
  return [
    {
      method: 'POST',
      path: '/contracts',
      access: 'public',
      about: {
        summary: 'A gateway hands in a contract, or a statement about one',
        details: 'By its authentication certificate (protocol/README.md §13.4).',
        proof: GATEWAY_CERTIFICATE,
        answers: { 200: json(POSITION), 201: json(POSITION) },
        refusals: [
          ...CALLER_REFUSALS,
          'contract.malformed',
          'contract.signature-invalid',
          'contract.signer-unknown',
          'contract.unknown',
          'contract.conflict',
        ],
      },
      rawBody: CONTRACT_MEDIA_TYPE,
      handle: (request) => {
        const reply = takeIn(context, request)
        if (reply.status === 201) for (const wake of waiting) wake()
        return reply
      },
    },
    {
      method: 'GET',
      path: '/contracts',
      access: 'public',
      about: {
        summary: 'Contracts of the members that a gateway speaks for',
        details: 'With Prefer: wait=N held until there is one.',
        proof: GATEWAY_CERTIFICATE,
        query: CURSOR,
        answers: {
          200: json(
            object({ documents: listOf(object({ position: whole, jws: text })), next: whole }),
          ),
        },
        refusals: CALLER_REFUSALS,
      },
      handle: (request) => handOut(context, request, waiting),
    },
    {
      method: 'GET',
      path: '/admin/contracts',
      access: 'admin',
      about: {
        summary: 'Contracts that were handed in, the newest first',
        answers: { 200: json(object({ documents: listOf(DOCUMENT) })) },
      },
      handle: () => ({ body: { documents: listDocuments(context.db, MAX_LISTED).map(toView) } }),
    },
  ]
}

function takeIn({ db, clock, publisher }: CatalogueContext, request: ApiRequest): ApiReply {
  const at = clock()
  const gateway = callingGateway(db, request, at)
  const document = parseDocument(Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '')
  for (const signature of document.signatures) verifySignature(db, document, signature, at)
  return db.transaction(() => {
    const accepted = judgeDocument(db, document)
    if ('known' in accepted) return { status: 200, body: { position: accepted.known } }
    const position = storeDocument(db, accepted, at)
    const { kind } = document.content
    db.run(
      'INSERT INTO event (at, actor, action, subject, snapshotNumber) VALUES (?, ?, ?, ?, ?)',
      at.toISOString(),
      `gateway ${gateway}`,
      `hand-in-${kind}`,
      `contract ${accepted.about.content.id} of ${accepted.about.content.client} for ${accepted.about.content.service}, signed by ${signersOf(document).join(', ')}`,
      publisher.current().number,
    )
    return { status: 201, body: { position } }
  })
}

/** By a certificate that is listed for the signer, and was good when it signed. */
function verifySignature(
  db: Database,
  document: SignedDocument,
  signature: ContractSignature,
  now: Date,
): void {
  const { kid, iat, 'x5t#S256': thumbprint } = signature.header
  const row = db.get<{ der: Uint8Array }>(
    'SELECT der FROM certificate WHERE thumbprint = ? AND member = ?',
    thumbprint,
    kid,
  )
  if (row === undefined) {
    const detail = `the catalogue lists no signing certificate ${thumbprint} of ${kid}`
    throw new ExchangeError('contract.signer-unknown', detail)
  }
  const certificate = parseCertificate(row.der)
  verifyContractSignature(document, signature, certificate.publicKey)
  const signedAt = new Date(iat * 1000)
  if (signedAt.getTime() - now.getTime() > LIMITS.signatureAgeSeconds * 1000) {
    const detail = `${kid} signed at ${signedAt.toISOString()}, which is to come`
    throw new ExchangeError('contract.signature-invalid', detail)
  }
  if (isGoodAt(certificate, signedAt)) return
  const detail = `the certificate of ${kid} was not valid at ${signedAt.toISOString()}`
  throw new ExchangeError('contract.signature-invalid', detail)
}

const isGoodAt = ({ notBefore, notAfter }: Certificate, at: Date): boolean =>
  // Times of signing are whole seconds.
  notBefore.getTime() < at.getTime() + 1000 && notAfter > at

/** @throws ExchangeError `peer.certificate-missing`, `peer.certificate-unregistered`, `certificate.expired`. */
function callingGateway(db: Database, { peerCertificate }: ApiRequest, at: Date): string {
  if (peerCertificate === undefined) {
    const detail = 'contracts are for gateways: show the authentication certificate'
    throw new ExchangeError('peer.certificate-missing', detail)
  }
  const thumbprint = createHash('sha256').update(peerCertificate).digest('base64url')
  const row = db.get<{ gateway: string; der: Uint8Array }>(
    'SELECT gateway, der FROM certificate WHERE thumbprint = ? AND gateway IS NOT NULL',
    thumbprint,
  )
  if (row === undefined) {
    const detail = `the certificate ${thumbprint} is not listed for a gateway`
    throw new ExchangeError('peer.certificate-unregistered', detail)
  }
  if (parseCertificate(row.der).notAfter <= at) {
    throw new ExchangeError('certificate.expired', `the certificate of ${row.gateway} has expired`)
  }
  return row.gateway
}

/** What follows `after`; with `Prefer: wait=N` held until there is something. */
async function handOut(
  { db, clock, publisher, reports }: CatalogueContext,
  request: ApiRequest,
  waiting: Set<() => void>,
): Promise<ApiReply> {
  const after = readAfter(request.query)
  const gateway = callingGateway(db, request, clock())
  reports.hear(gateway, request.headers)
  const { signal } = request
  const waitMs = readWaitMs(request.headers)
  const deadline = performance.now() + (waitMs ?? 0)
  for (;;) {
    const documents = documentsAfter(db, after, membersOf(db, gateway))
    const last = lastPosition(db)
    const leftMs = deadline - performance.now()
    // A gateway that knows more than there is has seen another database: it is told at once.
    if (
      documents.length > 0 ||
      leftMs <= 0 ||
      after > last ||
      publisher.stopped ||
      signal.aborted
    ) {
      const next = documents.at(-1)?.position ?? Math.min(after, last)
      return {
        headers: {
          'cache-control': 'no-store',
          ...(waitMs === undefined ? {} : { 'preference-applied': 'wait' }),
          ...(publisher.stopped ? { connection: 'close' } : {}),
        },
        body: { documents, next },
      }
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.add(resolve)
    await Promise.race([promise, publisher.waitForOther(publisher.current().etag, leftMs, signal)])
    waiting.delete(resolve)
  }
}

function readAfter(query: URLSearchParams): number {
  const text = query.get('after') ?? '0'
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw invalid('after', 'is not a position')
}

function membersOf(db: Database, gateway: string): string[] {
  const clients = clientsOf(db, 'gateway', gateway).map((id) => memberOf(readClientId(id)))
  return [...new Set([memberOf(readGatewayId(gateway)), ...clients])]
}

function toView(row: ReturnType<typeof listDocuments>[number]): object {
  const { jws, ...view } = row
  const document = parseDocument(jws)
  return { ...view, signedBy: signersOf(document), content: document.content }
}
