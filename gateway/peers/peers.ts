import type { TLSSocket } from 'node:tls'
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
import type { OwnTls } from '../credentials/tls.ts'
import type { OutgoingRequest, Peers, Trust } from '../ports.ts'
import {
  httpFailure,
  sendOver,
  type HttpFailure,
  type SlottedPool,
} from '../outgoing/http-request.ts'
import { createSlots } from '../outgoing/slots.ts'
import { tlsConnector } from '../outgoing/tls-connector.ts'

interface Options {
  /** What we show now: each new certificate gets connections of its own. */
  readonly own: () => OwnTls
  readonly trust: Trust
  readonly clock: Clock
  readonly connectMs: number
  /** Longest wait for the head of an answer. */
  readonly answerMs: number
  readonly idleMs: number
  readonly connections: number
}
interface PeerPool extends SlottedPool {
  /** Open connections, and the certificate that each was made with. */
  readonly open: Map<TLSSocket, Certificate>
  /** Exchanges under way. */
  uses: number
  usedAt: number
}

/** A pool that nobody used for so long belongs to an address or certificates that are gone. */
const UNUSED_MS = 120_000

/** Connections to other gateways: mTLS 1.3, kept open, pinned to the snapshot's certificates. */
export function createPeers(options: Options): Peers & AsyncDisposable {
  const pools = new Map<string, PeerPool>()

  const poolOf = (gateway: GatewayEntry): PeerPool => {
    const own = options.own()
    // A gateway whose registration changed is another one, with connections of its own; so are we.
    const parts = [gateway.id, gateway.address, own.thumbprint, ...gateway.certificates.keys()]
    const key = parts.join(' ')
    const pool = pools.get(key) ?? openPool(gateway, own, options)
    pools.set(key, pool)
    return pool
  }
  const sweep = setInterval(() => {
    for (const [key, { pool, uses, usedAt }] of pools) {
      if (uses > 0 || performance.now() - usedAt < UNUSED_MS) continue
      pools.delete(key)
      void pool.close()
    }
  }, UNUSED_MS)
  sweep.unref()

  return {
    send: async (gateway, message) => {
      const peer = poolOf(gateway)
      peer.uses += 1
      message.scope.defer(() => {
        peer.uses -= 1
        peer.usedAt = performance.now()
      })
      await endBadConnections(peer, options)
      return dispatch(peer, gateway, message)
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(sweep)
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

const BAD = new Set<ErrorCode>([
  'certificate.expired',
  'certificate.revoked',
  'certificate.untrusted',
])

/** A certificate is good for each exchange anew: a connection whose certificate is not any more ends. */
async function endBadConnections({ open }: PeerPool, { trust, clock }: Options): Promise<void> {
  for (const certificate of new Set(open.values())) {
    try {
      await trust.verify(certificate, 'authentication', clock())
    } catch (error) {
      // What cannot be known for now ends no exchange that is under way.
      const isBad = error instanceof ExchangeError && BAD.has(error.code)
      if (!isBad) throw error
      // Told by the next connection, if that shows the same.
      for (const [socket, shown] of open) if (shown === certificate) socket.destroy()
    }
  }
}

function openPool(gateway: GatewayEntry, own: OwnTls, options: Options): PeerPool {
  const open: PeerPool['open'] = new Map()
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
      certificate: own.cert,
      privateKey: own.key,
      // The snapshot says which certificate; no name in it matters (protocol/README.md §6.2).
      verify: async ({ certificate, socket }) => {
        await options.trust.verify(certificate, 'authentication', options.clock())
        if (!gateway.certificates.has(certificate.thumbprint)) {
          throw new ExchangeError(
            'provider.certificate-unregistered',
            `the certificate ${certificate.subject} at ${gateway.address} is not registered for ${gateway.id}`,
          )
        }
        if (socket.destroyed) return
        open.set(socket, certificate)
        socket.once('close', () => open.delete(socket))
      },
    }),
  })
  const slots = createSlots(options.connections, options.connectMs)
  return { pool, slots, open, uses: 0, usedAt: performance.now() }
}

async function dispatch(
  pool: SlottedPool,
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
  overloaded: ['provider.overloaded', 'has all our connections to it in use'],
  stopping: ['gateway.stopping', 'is not called any more: this gateway stops'],
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
