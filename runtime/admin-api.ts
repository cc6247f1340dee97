import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestListener, Server } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import { Ajv, type JSONSchemaType } from 'ajv'
import express, { type ErrorRequestHandler, type Request, type Response } from 'express'
import { ExchangeError, type ErrorCode, type Origin } from '../protocol/errors.ts'
import { toProblem } from '../protocol/problem.ts'
import { fromBodyParser, readBodies } from './api-body.ts'
import type { Logger } from './logger.ts'
import { verifyRole, type Access, type Role } from './roles.ts'
import type { BodyParser, RouteDescription } from './route-description.ts'

/** Who asks: whoever holds the program's own token, or somebody by a credential of their own. */
export interface Principal {
  readonly role: Role
  /** `administrator`, or of the credential. */
  readonly name: string
  /** Of an auditor's entry: it stands for one scope, which never changes. */
  readonly id?: string
  /** Members, subsystems and services that it is limited to; absent: all. */
  readonly scope?: readonly string[]
  /** Which one, for people: `key 7f3a…`; absent: the program's own token. */
  readonly credential?: string
  /** Who stands behind it, the same for all credentials of one person. */
  readonly person?: string
  /** The person who made the credential, if somebody else did. */
  readonly madeBy?: string
  readonly expiresAt?: Date
}
export const ADMINISTRATOR: Principal = { role: 'admin', name: 'administrator' }

export interface ApiRequest {
  /** Undefined on a public route. */
  readonly principal: Principal | undefined
  /** Path parameters, percent-decoded; of one that stands for several segments (`*rest`) all, with slashes. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Parsed JSON, or a Buffer for a route with `rawBody`. */
  readonly body: unknown
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal
  /** Address that the connection comes from. */
  readonly remoteAddress: string
  /** DER of the certificate that the caller's TLS proved to hold the key of; nothing in it is verified. */
  readonly peerCertificate: Buffer | undefined
}
export interface ApiReply {
  /** 200 when left out, 204 without a body. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Sent as JSON, or as it is when a Buffer, string or stream with a `content-type` of its own. A stream that
   * fails ends the connection, so that nobody takes the part for the whole; it is destroyed when the caller goes.
   */
  readonly body?: unknown
}
/** One operation of a program's own API. The table is data, so that a test can go over all of them. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** As express takes it: `/admin/members/:class/:code`. */
  readonly path: string
  /** The lowest role; runtime/roles.ts says who is above it. */
  readonly access: Access
  /** Media type of a body to hand on unparsed; `*` for any, and for none. */
  readonly rawBody?: string
  /** For the OpenAPI description of the program. */
  readonly about: RouteDescription
  readonly handle: (request: ApiRequest) => Promise<ApiReply> | ApiReply
}

/** A request that was answered with a problem document. */
export interface Refusal {
  readonly code: ErrorCode
  /** For the caller; of a fault of ours only its title. */
  readonly detail: string
  readonly method: string
  readonly path: string
  readonly remoteAddress: string
  /** As the caller announced it. */
  readonly bytes: number | undefined
  /** Undefined when nobody was recognised. */
  readonly principal: Principal | undefined
  /** Of the route; undefined when there is none. */
  readonly access: Access | undefined
}

/** A call of a route by somebody who may make it. */
export interface Act {
  readonly route: Route
  readonly request: ApiRequest
  /** Without the query. */
  readonly path: string
}

/**
 * Serves a table of routes. All but the public ones ask for `Authorization: Bearer` (RFC 6750 §2.1) with the given
 * token, or with one that `principalOf` knows; errors leave as RFC 9457 problem documents, without a stack.
 */
export function createApi(api: {
  readonly routes: readonly Route[]
  readonly token: string
  /** @returns undefined for a token of nobody. @throws ExchangeError `admin.unauthenticated` with why not. */
  readonly principalOf?: (token: string) => Principal | undefined | Promise<Principal | undefined>
  /** Asked after the role, before the body is read. @throws ExchangeError `admin.not-permitted`. */
  readonly permit?: (principal: Principal, route: Route, params: ApiRequest['params']) => void
  /** Stands around each call of a route. */
  readonly around?: (act: Act, handle: () => Promise<ApiReply>) => Promise<ApiReply>
  readonly origin: Origin
  readonly logger: Logger
  /** Sent with 401 (RFC 9110 §11.6.1). Default `Bearer`. */
  readonly challenge?: string
  /** Told of each refusal, before it is sent. */
  readonly onRefusal?: (refusal: Refusal) => void
}): RequestListener {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  const refuse = refuser(api)
  const { around = (_act, handle) => handle() } = api
  for (const route of api.routes) {
    const method = route.method.toLowerCase() as 'get' | 'put' | 'post' | 'delete'
    app[method](
      route.path,
      async (request, response, next) => {
        response.locals.access = route.access
        // Before the body is read: a stranger's ten megabytes are not worth parsing.
        if (route.access !== 'public') {
          const principal = await authenticate(request, api)
          response.locals.principal = principal
          verifyRole(principal.role, route.access)
          api.permit?.(principal, route, paramsOf(request))
        }
        next()
      },
      ...readBodies(route),
      async (request, response) => {
        const asked = toApiRequest(request, response)
        const handle = async (): Promise<ApiReply> => {
          checkBody(route.about, asked.body)
          return route.handle(asked)
        }
        await send(response, await around({ route, request: asked, path: request.path }, handle))
      },
    )
  }
  for (const { path, method } of api.routes) {
    app.all(path, (_request, response, next) => {
      const methods = method === 'GET' ? ['GET', 'HEAD'] : [method]
      response.locals.allowed = [...((response.locals.allowed as string[]) ?? []), ...methods]
      next()
    })
  }
  app.use((request: Request, response: Response) => {
    const allowed = response.locals.allowed as string[] | undefined
    if (allowed !== undefined) {
      response.set('allow', [...new Set(allowed)].join(', '))
      const detail = `${request.method} is not served here, but ${response.get('allow')}`
      throw new ExchangeError('request.method-unsupported', detail)
    }
    throw new ExchangeError(
      'request.route-unknown',
      `${request.method} ${request.path} is not served here`,
    )
  })
  app.use(refuse)
  return (request, response) => {
    // Other forms of a target (RFC 9112 §3.2) name nothing here, and express stumbles over some.
    if (!request.url?.startsWith('/')) request.url = '/'
    app(request, response)
  }
}

/** By the schema that describes it, so that description and check are one. */
function checkBody({ body: check, isBodyOptional }: RouteDescription, body: unknown): void {
  if (check === undefined || (isBodyOptional && body === undefined)) return
  check(body)
}

async function authenticate(
  request: Request,
  { token, principalOf }: Pick<Parameters<typeof createApi>[0], 'token' | 'principalOf'>,
): Promise<Principal> {
  const given = /^Bearer +([^ ]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (given === undefined)
    throw new ExchangeError('admin.unauthenticated', 'no bearer token was sent')
  // Digests have one length: the comparison says nothing about the token's.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  if (timingSafeEqual(digest(given), digest(token))) return ADMINISTRATOR
  const principal = await principalOf?.(given)
  if (principal !== undefined) return principal
  throw new ExchangeError(
    'admin.unauthenticated',
    'the bearer token is not the one of this program',
  )
}

const paramsOf = (request: Request): ApiRequest['params'] =>
  Object.fromEntries(
    Object.entries(request.params).map(([name, value]) => [name, [value].flat().join('/')]),
  )

function toApiRequest(request: Request, response: Response): ApiRequest {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  return {
    principal: response.locals.principal as Principal | undefined,
    params: paramsOf(request),
    query: readQuery(request.url.split('?').slice(1).join('?')),
    headers: request.headers,
    body: request.body as unknown,
    signal: gone.signal,
    remoteAddress: request.socket.remoteAddress ?? '',
    peerCertificate: (request.socket as Partial<TLSSocket>).getPeerX509Certificate?.()?.raw,
  }
}

/** What is no UTF-8 would become a character that nobody sent. */
function readQuery(query: string): URLSearchParams {
  try {
    decodeURIComponent(query)
  } catch (cause) {
    if (!(cause instanceof URIError)) throw cause
    const detail = 'the query is not UTF-8 in percent encoding'
    throw new ExchangeError('request.malformed', detail, { cause })
  }
  return new URLSearchParams(query)
}

async function send(response: Response, { status, headers = {}, body }: ApiReply): Promise<void> {
  // As they are: express would add a charset to media types that have none (tlog-witness, "add-checkpoint").
  response.setHeaders(new Headers(headers))
  if (body === undefined) response.status(status ?? 204).end()
  else if (body instanceof Readable) {
    await pipeline(body, response.status(status ?? 200)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error // else the caller has gone
    })
  } else if (typeof body === 'string' || body instanceof Uint8Array) {
    response.status(status ?? 200).end(body)
  } else response.status(status ?? 200).json(body)
}

function refuser(api: {
  readonly origin: Origin
  readonly logger: Logger
  readonly challenge?: string
  readonly onRefusal?: (refusal: Refusal) => void
}): ErrorRequestHandler {
  const { origin, logger, challenge = 'Bearer', onRefusal } = api
  // Express tells an error handler by its four parameters.
  return (thrown: unknown, request, response, _next) => {
    const error = fromBodyParser(thrown)
    const exchangeId = crypto.randomUUID()
    const problem = toProblem(error, origin, exchangeId)
    const line = { id: exchangeId, method: request.method, path: request.path, code: problem.code }
    if (problem.status >= 500) logger.error({ ...line, err: error }, 'refused')
    else logger.info({ ...line, detail: problem.detail }, 'refused')
    const length = Number(request.headers['content-length'] ?? Number.NaN)
    onRefusal?.({
      code: problem.code,
      detail: problem.detail ?? problem.title,
      method: request.method,
      path: request.path,
      remoteAddress: request.socket.remoteAddress ?? '',
      bytes: Number.isNaN(length) ? undefined : length,
      principal: response.locals.principal as Principal | undefined,
      access: response.locals.access as Access | undefined,
    })
    if (response.headersSent) {
      response.destroy()
      return
    }
    if (problem.status === 401) response.set('www-authenticate', challenge)
    response.status(problem.status).type('application/problem+json').end(JSON.stringify(problem))
  }
}

/**
 * Compiles a schema into a parser of request bodies.
 *
 * @throws ExchangeError `admin.invalid` (422) naming every fault by its JSON pointer.
 */
export function bodyParser<T>(schema: JSONSchemaType<T>): BodyParser<T> {
  const validate = new Ajv({ allErrors: true, useDefaults: true }).compile(schema)
  const parse = (body: unknown): T => {
    if (validate(body)) return body
    const faults = validate.errors?.map(({ instancePath, message, params }) => {
      const { additionalProperty, allowedValues } = params as {
        additionalProperty?: string
        allowedValues?: readonly unknown[]
      }
      const names = additionalProperty ?? allowedValues?.join(', ')
      const extra = names === undefined ? '' : ` (${names})`
      return `${instancePath || '/'} ${message}${extra}`
    })
    throw new ExchangeError('admin.invalid', faults?.join('; ') ?? 'the body is not valid')
  }
  return Object.assign(parse, { schema })
}

/** Options of a server for an API: no caller may keep a connection for nothing. */
export const API_SERVER = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
} as const

/** What cannot be given as an option. @param server one that was made with {@link API_SERVER}. */
export function limitApiServer<S extends Server>(server: S): S {
  server.maxConnections = 2000
  server.timeout = 90_000 // nothing is read or written; longer than a catalogue holds a question
  return server
}
