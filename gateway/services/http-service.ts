import { Pool } from 'undici'
import { ExchangeError, refusedAs, type ErrorCode } from '../../protocol/errors.ts'
import { headerBlock } from '../../protocol/header-block.ts'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { verifyPath } from '../../pki/path.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Connection } from '../access/settings.ts'
import type { OwnTls } from '../credentials/tls.ts'
import type { Answer, ServedRecorded } from '../exchange-state.ts'
import type { Bodies, Trust } from '../ports.ts'
import {
  httpFailure,
  sendOver,
  type HttpFailure,
  type SlottedPool,
} from '../outgoing/http-request.ts'
import { createSlots } from '../outgoing/slots.ts'
import { tlsConnector } from '../outgoing/tls-connector.ts'

interface Options {
  readonly trust: Trust
  readonly receive: Bodies['ofReply']
  readonly clock: Clock
  /** Shown to https services, so that a register can tell its gateway. */
  readonly own: () => OwnTls
  readonly connectMs: number
  readonly answerMs: number
  readonly idleMs: number
  readonly connections: number
}

export interface HttpServices extends AsyncDisposable {
  /** @throws ExchangeError one of `service.*`, `certificate.*`, `storage.unavailable`. */
  call(connection: Connection, exchange: ServedRecorded): Promise<Answer>
}

interface ServicePool extends SlottedPool {
  /** Thumbprint of the certificate of ours that its connections show; empty for plain HTTP. */
  readonly shown: string
  /** Exchanges under way. */
  uses: number
}

const SWEEP_MS = 60_000

/**
 * Calls services over HTTP(S): no redirects, no cookies, no content encoding is touched, and the path
 * is sent byte for byte as it was judged (X-Road PR-REST §4.4–4.5).
 */
export function createHttpServices(options: Options): HttpServices {
  const pools = new Map<string, ServicePool>()
  const poolOf = (connection: Connection): ServicePool => {
    const { origin } = new URL(connection.url)
    const own = options.own()
    const shown = origin.startsWith('https:') ? own.thumbprint : ''
    const key = `${origin} ${shown} ${connection.caCertificates ?? ''}`
    const open = pools.get(key)
    if (open) return open
    const made = { ...openPool(origin, connection, own, options), shown, uses: 0 }
    pools.set(key, made)
    return made
  }
  // Once we show another certificate, nobody begins an exchange with the old one.
  const sweep = setInterval(() => {
    for (const [key, { pool, shown, uses }] of pools) {
      if (uses > 0 || shown === '' || shown === options.own().thumbprint) continue
      pools.delete(key)
      void pool.close()
    }
  }, SWEEP_MS)
  sweep.unref()
  return {
    call: async (connection, exchange) => {
      const { request, target, headers, body: sent, scope } = exchange
      const pool = poolOf(connection)
      pool.uses += 1
      scope.defer(() => void (pool.uses -= 1))
      const reply = await sendOver(pool, {
        method: request.method,
        path: pathOf(connection.url, target),
        headers,
        body: sent,
        scope,
        answerMs: connection.timeoutMs ?? options.answerMs,
      }).catch((error: unknown) => {
        throw translate(error, connection)
      })
      const answerHeaders = refusedAs('service.answer-invalid', 'service', () =>
        headerBlock(reply.rawHeaders),
      )
      const body = await options.receive(reply.stream, exchange.scope)
      return { status: reply.status, headers: answerHeaders, body }
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(sweep)
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

/** Service URL, service path and query, joined with a single slash (PR-REST §4.5); nothing decoded. */
export function pathOf(url: string, target: { servicePath: string; query: string }): string {
  const { pathname } = new URL(url)
  const base = pathname.endsWith('/') ? pathname.slice(0, -1) : pathname
  return `${base}${target.servicePath || (base === '' ? '/' : '')}${target.query}`
}

function openPool(
  origin: string,
  connection: Connection,
  own: OwnTls,
  options: Options,
): SlottedPool {
  const pool = new Pool(origin, {
    connections: options.connections,
    pipelining: 1,
    bodyTimeout: options.idleMs,
    keepAliveTimeout: 4000, // many servers close at five seconds
    allowH2: false,
    connect: origin.startsWith('https:')
      ? tlsConnector({
          connectMs: options.connectMs,
          minVersion: 'TLSv1.2',
          certificate: own.cert,
          privateKey: own.key,
          verify: verifier(connection, options),
        })
      : { timeout: options.connectMs },
  })
  return { pool, slots: createSlots(options.connections, options.connectMs) }
}

/** A service's certificate is one of its host, from the authorities named for it or the instance's. */
function verifier(
  connection: Connection,
  { trust, clock }: Options,
): Parameters<typeof tlsConnector>[0]['verify'] {
  const { caCertificates } = connection
  const anchors = caCertificates === undefined ? undefined : parseCertificates(caCertificates)
  return async ({ certificate, intermediates, hostFault }) => {
    try {
      if (anchors === undefined) await trust.verify(certificate, 'server', clock())
      else verifyPath(certificate, { anchors, intermediates, at: clock(), purpose: 'server' })
    } catch (error) {
      throw unvouched(error, certificate, connection)
    }
    if (hostFault !== undefined) throw otherHost(hostFault, certificate, connection)
  }
}

/** Nobody this gateway knows issued it: told apart from one that is over, revoked or of another host. */
function unvouched(
  error: unknown,
  { subject, issuer }: Certificate,
  { service, url, caCertificates }: Connection,
): unknown {
  if (!(error instanceof ExchangeError) || !UNVOUCHED.has(error.code)) return error
  const known = caCertificates === undefined ? 'no approved authority' : 'no authority given for it'
  return new ExchangeError(
    'service.certificate-unknown',
    `${service} at ${new URL(url).host} shows a certificate of ${subject}, issued by ${issuer}, for which ${known} vouches (${error.message}): spean service connect ${service} ${url} --ca FILE names one`,
    { cause: error },
  )
}

const UNVOUCHED = new Set<ErrorCode>(['certificate.untrusted', 'certificate.issuer-missing'])

function otherHost(
  fault: string,
  { subject }: Certificate,
  { service, url }: Connection,
): ExchangeError {
  const { host } = new URL(url)
  return new ExchangeError(
    'certificate.untrusted',
    `${service} at ${host} shows a certificate of another host, ${subject}: ${fault}; the service needs one that names ${host}, or the connection another URL`,
  )
}

const FAILURES = {
  overloaded: ['service.overloaded', 'has all its connections in use'],
  stopping: ['gateway.stopping', 'is not called any more: the gateway stops'],
  unreachable: ['service.unreachable', 'cannot be reached'],
  timeout: ['service.timeout', 'did not answer in time'],
  'not-http': ['service.answer-invalid', 'answered something that is not HTTP'],
  'broke-off': ['service.answer-incomplete', 'closed the connection before it answered'],
} as const satisfies Record<HttpFailure, [ErrorCode, string]>

function translate(error: unknown, { service }: Connection): unknown {
  const failure = error instanceof ExchangeError ? undefined : httpFailure(error)
  if (failure === undefined) return error
  const [code, what] = FAILURES[failure]
  const why = (error as NodeJS.ErrnoException).code ?? failure
  const detail = `${service} ${what} (${why})`
  return new ExchangeError(code, detail, { cause: error, origin: 'service' })
}
