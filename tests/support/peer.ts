/** The other end of the wire between gateways, made by hand: what a gateway sends, and how it lies. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { CERTIFICATE_STATES_PATH } from '../../protocol/certificate-states.ts'
import { headerBlock, headerBlockDigest, toRawHeaders } from '../../protocol/header-block.ts'
import { signJws } from '../../protocol/jws.ts'
import {
  jwsDigest,
  manifestText,
  parseRequestManifest,
  requestHash,
  type RequestManifest,
  type ResponseManifest,
} from '../../protocol/manifest.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { obtain, type Credentials } from './certificates.ts'
import { BANK, INSTANCE, REGISTRY, type Federation } from './federation.ts'
import { send, type Answer } from './http.ts'

const sha256 = (bytes: Buffer | string): string =>
  createHash('sha256').update(bytes).digest('base64url')

export interface Forgery {
  /** Shown in the TLS handshake; the client gateway's own unless given, none when null. */
  readonly tls?: Credentials | null
  /** Signs the manifest; the bank's own key unless given. */
  readonly signer?: { readonly member: string; readonly credentials: Credentials }
  readonly manifest?: Partial<RequestManifest>
  readonly signedAt?: Date
  /** What is sent, where it differs from what was signed. */
  readonly sent?: {
    readonly method?: string
    readonly path?: string
    readonly body?: string
    readonly rawHeaders?: readonly string[]
    readonly jws?: (jws: string) => string | undefined
  }
}

/** Sends the provider's gateway a request as the client's gateway would, but for the forgery. */
export function sendToPeer(f: Federation, forgery: Forgery = {}): Promise<Answer> {
  const { manifest = {}, sent = {}, signedAt = new Date() } = forgery
  const body = 'the body'
  const exchangeId = manifest.exchangeId ?? newExchangeId(new Date())
  const headers = headerBlock([
    ...['x-road-client', BANK, 'x-road-id', 'm-1', 'x-road-request-id', exchangeId],
    ...['content-type', 'text/plain'],
  ])
  const request: RequestManifest = {
    version: 1,
    kind: 'request',
    exchangeId,
    messageId: 'm-1',
    client: BANK,
    service: `${REGISTRY}/echo`,
    method: 'POST',
    target: `/r1/${REGISTRY}/echo/x`,
    headersDigest: headerBlockDigest(headers),
    bodyDigest: sha256(body),
    bodySize: body.length,
    gateway: `${INSTANCE}/COM/BANK/BANK-1`,
    snapshot: 1,
    ...manifest,
  }
  const signer = forgery.signer ?? {
    member: `${INSTANCE}/COM/BANK`,
    credentials: f.client.signing,
  }
  const header = {
    alg: 'ES256',
    iat: Math.floor(signedAt.getTime() / 1000),
    kid: signer.member,
    'x5t#S256': signer.credentials.certificate.thumbprint,
  } as const
  const signed = signJws(header, manifestText(request), signer.credentials.keys.privateKey)
  const jws = sent.jws ? sent.jws(signed) : signed
  const tls = forgery.tls === undefined ? f.client.authentication : forgery.tls
  return send({
    port: f.provider.running.ports.peers,
    method: sent.method ?? request.method,
    path: sent.path ?? request.target,
    rawHeaders: [
      ...(sent.rawHeaders ?? toRawHeaders(headers)),
      ...(jws === undefined ? [] : ['spean-manifest', jws]),
    ],
    body: sent.body ?? body,
    tls: tls === null ? {} : { cert: tls.cert, key: tls.key },
  })
}

export interface Lie {
  readonly manifest?: Partial<ResponseManifest>
  readonly signer?: { readonly member: string; readonly credentials: Credentials }
  readonly status?: number
  readonly body?: string
  readonly rawHeaders?: readonly string[]
  /** Lines that are signed with the others. */
  readonly headers?: readonly string[]
  readonly jws?: (jws: string) => string | undefined
}
export interface FakeProvider extends AsyncDisposable {
  readonly path: string
  readonly signing: Credentials
  readonly authentication: Credentials
  /** What it does with a request. */
  behave: (request: IncomingMessage, response: ServerResponse) => void
  /** What it hands over about its certificates; it knows of no such thing unless a test says so. */
  handOver: (request: IncomingMessage, response: ServerResponse) => void
  /** Answers with a rightly signed message, but for the lie. */
  answer(request: IncomingMessage, response: ServerResponse, lie?: Lie): void
}

/** A registered gateway with good keys whose behaviour a test decides. */
export async function startFakeProvider(
  f: Federation,
  member: string,
  shown?: (registered: Credentials) => Credentials | Promise<Credentials>,
): Promise<FakeProvider> {
  const identity = { instance: INSTANCE, memberClass: 'GOV', member }
  const { authority } = f.authority
  const gateway = `${member}-1`
  const authentication = await obtain(authority, {
    kind: 'authentication',
    identity: { ...identity, gateway },
  })
  const signing = await obtain(authority, { kind: 'signing', identity })
  const tls = shown ? await shown(authentication) : authentication
  let behave: FakeProvider['behave'] = (_request, response) => response.end()
  let handOver: FakeProvider['handOver'] = (_request, response) => response.writeHead(404).end()
  const server = createServer(
    {
      cert: tls.cert,
      key: tls.key,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) =>
      (request.url === CERTIFICATE_STATES_PATH ? handOver : behave)(request, response),
  )
  const listening = await listen(server, 0)
  const api = f.catalogueAdmin
  const memberPath = apiPath('/admin/members', 'GOV', member)
  const gatewayPath = apiPath('/admin/gateways', 'GOV', member, gateway)
  await api.call('PUT', memberPath, { name: member })
  await api.call('PUT', apiPath('/admin/subsystems', 'GOV', member, 'S'), { name: 'S' })
  await api.call('PUT', apiPath('/admin/services', 'GOV', member, 'S', 'echo'), { title: 'echo' })
  await api.call('PUT', gatewayPath, {
    address: `https://127.0.0.1:${listening.port}`,
    clients: [`${INSTANCE}/GOV/${member}/S`],
  })
  await api.call('POST', `${memberPath}/certificates`, { certificate: signing.certificate.pem })
  await api.call('POST', `${gatewayPath}/certificates`, {
    certificate: authentication.certificate.pem,
  })
  await f.settled()
  return {
    path: `/r1/${INSTANCE}/GOV/${member}/S/echo`,
    signing,
    authentication,
    get behave() {
      return behave
    },
    set behave(next) {
      behave = next
    },
    get handOver() {
      return handOver
    },
    set handOver(next) {
      handOver = next
    },
    answer: (request, response, lie) =>
      answerSigned(request, response, { id: identity, gateway, signing }, lie),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await listening[Symbol.asyncDispose]()
    },
  }
}

function answerSigned(
  { headers, method }: IncomingMessage,
  response: ServerResponse,
  own: {
    id: { instance: string; memberClass: string; member: string }
    gateway: string
    signing: Credentials
  },
  lie: Lie = {},
): void {
  const requestJws = String(headers['spean-manifest'])
  const asked = parseRequestManifest(Buffer.from(requestJws.split('.')[1]!, 'base64url'))
  const member = `${own.id.instance}/${own.id.memberClass}/${own.id.member}`
  const block = headerBlock([
    'content-type',
    'text/plain',
    'x-road-client',
    asked.client,
    'x-road-id',
    asked.messageId,
    'x-road-request-hash',
    requestHash(requestJws),
    'x-road-request-id',
    asked.exchangeId,
    'x-road-service',
    asked.service,
    ...(lie.headers ?? []),
  ])
  const body = 'answer'
  const manifest: ResponseManifest = {
    version: 1,
    kind: 'response',
    exchangeId: asked.exchangeId,
    messageId: asked.messageId,
    client: asked.client,
    service: asked.service,
    status: 200,
    headersDigest: headerBlockDigest(block),
    bodyDigest: sha256(method === 'HEAD' ? '' : body),
    bodySize: body.length,
    requestDigest: jwsDigest(requestJws),
    gateway: `${member}/${own.gateway}`,
    snapshot: 1,
    ...lie.manifest,
  }
  const { credentials, member: signer } = lie.signer ?? { credentials: own.signing, member }
  const header = {
    alg: 'ES256',
    iat: Math.floor(Date.now() / 1000),
    kid: signer,
    'x5t#S256': credentials.certificate.thumbprint,
  } as const
  const signed = signJws(header, manifestText(manifest), credentials.keys.privateKey)
  const jws = lie.jws ? lie.jws(signed) : signed
  response.sendDate = false
  response.writeHead(lie.status ?? 200, [
    ...toRawHeaders(block),
    ...(lie.rawHeaders ?? []),
    ...(jws === undefined ? [] : ['spean-manifest', jws]),
  ])
  response.end(lie.body ?? body)
}
