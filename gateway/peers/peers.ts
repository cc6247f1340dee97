import { Pool } from 'undici'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { fromProblem } from '../../protocol/problem.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Reply } from '../exchange-state.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import type { OutgoingRequest, Peers, Trust } from '../ports.ts'
import { httpFailure, sendOver, type HttpFailure } from '../outgoing/http-request.ts'
import { tlsConnector } from '../outgoing/tls-connector.ts'

interface Options {
  /** Our authentication certificate and key, PEM. */
  readonly certificate: string
  readonly privateKey: string
  readonly trust: Trust
  readonly clock: Clock
  readonly connectMs: number
  /** Longest wait for the head of an answer. */
  readonly answerMs: number
  readonly idleMs: number
  readonly connections: number
}
interface PeerPool {
  readonly pool: Pool
  /** Certificates that its connections were made with: checked again for every exchange. */
  readonly shown: Set<Certificate>
}

/** Connections to other gateways: mTLS 1.3, kept open, pinned to the snapshot's certificates. */
export function createPeers(options: Options): Peers & AsyncDisposable {
  const pools = new Map<string, PeerPool>()

  const poolOf = (gateway: GatewayEntry): PeerPool => {
    // A gateway whose registration changed is another one: its old connections end.
    const key = [gateway.id, gateway.address, ...gateway.certificates.keys()].join(' ')
    const open = pools.get(key)
    if (open) return open
    for (const [other, { pool }] of pools) {
      if (!other.startsWith(`${gateway.id} `)) continue
      pools.delete(other)
      void pool.close()
    }
    const made = openPool(gateway, options)
    pools.set(key, made)
    return made
  }

  return {
    send: async (gateway, message) => {
      const peer = poolOf(gateway)
      for (const certificate of peer.shown) {
        await options.trust.verify(certificate, 'authentication', options.clock())
      }
      return dispatch(peer.pool, gateway, message)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

function openPool(gateway: GatewayEntry, options: Options): PeerPool {
  const shown = new Set<Certificate>()
  const pool = new Pool(gateway.address, {
    connections: options.connections,
    pipelining: 1,
    headersTimeout: options.answerMs,
    bodyTimeout: options.idleMs,
    keepAliveTimeout: 30_000,
    maxHeaderSize: LIMITS.wireHeaderBytes,
    allowH2: false,
    connect: tlsConnector({
      connectMs: options.connectMs,
      certificate: options.certificate,
      privateKey: options.privateKey,
      verify: async (certificate) => {
        await options.trust.verify(certificate, 'authentication', options.clock())
        if (!gateway.certificates.has(certificate.thumbprint)) {
          throw new ExchangeError(
            'provider.certificate-unregistered',
            `the certificate ${certificate.subject} at ${gateway.address} is not registered for ${gateway.id}`,
          )
        }
        shown.add(certificate)
      },
    }),
  })
  return { pool, shown }
}

async function dispatch(
  pool: Pool,
  gateway: GatewayEntry,
  { method, target, headers, manifest, body, scope }: OutgoingRequest,
): Promise<Reply> {
  const signed = [...headers, [MANIFEST_HEADER, manifest] as const]
  const reply = await sendOver(pool, {
    method,
    path: target,
    headers: signed,
    body,
    scope,
  }).catch((error: unknown) => {
    throw translate(error, gateway)
  })
  const isSigned = reply.rawHeaders.some(
    (name, i) => i % 2 === 0 && name.toLowerCase() === MANIFEST_HEADER,
  )
  if (isSigned) return reply
  throw await readRefusal(reply, gateway)
}

/** What is not a signed answer is a refusal, in a problem document. */
async function readRefusal(
  { status, stream }: Reply,
  gateway: GatewayEntry,
): Promise<ExchangeError> {
  try {
    const text = (await readAtMost(stream, LIMITS.problemBytes)).toString('utf8')
    if (status >= 400) return fromProblem(JSON.parse(text))
  } catch {
    // Told below: whatever came, it was no problem document.
  }
  return new ExchangeError(
    'provider.answer-invalid',
    `gateway ${gateway.id} answered ${status} with neither a manifest nor a refusal`,
  )
}

const FAILURES = {
  unreachable: ['provider.unreachable', 'cannot be reached'],
  timeout: ['provider.timeout', 'did not answer in time'],
  'not-http': ['provider.answer-invalid', 'answered something that is not HTTP'],
  'broke-off': ['provider.answer-incomplete', 'closed the connection'],
} as const satisfies Record<HttpFailure, [ErrorCode, string]>

function translate(error: unknown, { id, address }: GatewayEntry): unknown {
  const failure = error instanceof ExchangeError ? undefined : httpFailure(error)
  if (failure === undefined) return error
  const [code, what] = FAILURES[failure]
  const why = (error as NodeJS.ErrnoException).code ?? failure
  return new ExchangeError(code, `gateway ${id} at ${address} ${what} (${why})`, { cause: error })
}
