import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { MANIFEST_HEADER, USER_TOKEN_HEADER } from '../../protocol/headers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { fromProblem } from '../../protocol/problem.ts'
import { BodyTooLongError, readAtMost } from '../../runtime/http-body.ts'
import { EMPTY_BODY } from '../../runtime/spool.ts'
import type { Reply } from '../exchange-state.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import type { OwnTls } from '../credentials/tls.ts'
import type { OutgoingRequest, Peers } from '../ports.ts'
import {
  httpFailure,
  sendOver,
  type HttpFailure,
  type SlottedPool,
} from '../outgoing/http-request.ts'
import type { Handover } from './handover.ts'
import { endBadConnections, openPool, retirePool, usePool } from './pool.ts'
import type { PeerPool, PoolOptions } from './pool.ts'

interface Options extends PoolOptions {
  /** What we show now: each new certificate gets connections of its own. */
  readonly own: () => OwnTls
  /** Hands certificate states over; without it each side asks the responder. */
  readonly handover?: Handover
}

/** What is asked of other gateways and is no exchange. */
export interface PeerQuestions {
  /**
   * Sends JSON by `POST`, and resolves with the body of an answer of 200.
   *
   * @throws ExchangeError as {@link Peers.send}.
   */
  ask(gateway: GatewayEntry, question: PeerQuestion): Promise<Buffer>
}
export interface PeerQuestion {
  readonly path: string
  readonly json: string
  readonly maxAnswerBytes: number
}

/** Longest wait for the answer to a question. */
const QUESTION_MS = 5000

/** A pool that nobody used for so long belongs to an address or certificates that are gone. */
const UNUSED_MS = 120_000
const TICK_MS = 1000

/** Connections to other gateways: mTLS 1.3, kept open, pinned to the snapshot's certificates. */
export function createPeers(options: Options): Peers & PeerQuestions & AsyncDisposable {
  const { handover } = options
  const pools = new Map<string, PeerPool>()
  /** With exchanges under way. */
  const retired = new Set<PeerPool>()

  // A gateway whose registration changed is another one, with connections of its own; so are we.
  const keyOf = ({ id, address, certificates }: GatewayEntry, shown: string): string =>
    [id, address, shown, ...certificates.keys()].join(' ')
  const poolOf = (gateway: GatewayEntry): PeerPool => {
    const own = options.own()
    const key = keyOf(gateway, own.thumbprint)
    const pool = pools.get(key) ?? openPool(gateway, own, options)
    pools.set(key, pool)
    return pool
  }
  const retire = (peer: PeerPool): void => {
    const key = keyOf(peer.gateway, peer.shown)
    if (pools.get(key) === peer) pools.delete(key)
    retired.add(peer)
    retirePool(peer, () => retired.delete(peer))
  }
  const sweep = setInterval(() => {
    for (const peer of pools.values()) {
      const unused = peer.uses === 0 && performance.now() - peer.usedAt >= UNUSED_MS
      if (unused || peer.shown !== options.own().thumbprint) retire(peer)
      else handover?.keep(peer)
    }
  }, TICK_MS)
  sweep.unref()

  /** A pool whose connections are good, held until `scope` is disposed. */
  const goodPool = async (
    gateway: GatewayEntry,
    scope: AsyncDisposableStack,
  ): Promise<PeerPool> => {
    const peer = poolOf(gateway)
    usePool(peer, scope)
    if ((await endBadConnections(peer, options)) === 'good' && !peer.onClosed) return peer
    retire(peer)
    const next = poolOf(gateway)
    usePool(next, scope)
    return next
  }

  const readyPool = async (
    gateway: GatewayEntry,
    scope: AsyncDisposableStack,
  ): Promise<PeerPool> => {
    const peer = await goodPool(gateway, scope)
    await handover?.before(peer).catch((error: unknown) => {
      throw translate(error, gateway)
    })
    return peer
  }

  return {
    send: async (gateway, message) =>
      dispatch(await readyPool(gateway, message.scope), gateway, message),
    ask: async (gateway, question) => {
      await using scope = new AsyncDisposableStack()
      return await askOver(await readyPool(gateway, scope), gateway, question, scope)
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(sweep)
      await Promise.all([...pools.values(), ...retired].map(({ pool }) => pool.destroy()))
    },
  }
}

async function dispatch(
  pool: SlottedPool,
  gateway: GatewayEntry,
  { method, target, headers, manifest, userToken, body, scope }: OutgoingRequest,
): Promise<Reply> {
  const token = userToken === undefined ? [] : [[USER_TOKEN_HEADER, userToken] as const]
  const signed = [...headers, [MANIFEST_HEADER, manifest] as const, ...token]
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

async function askOver(
  pool: SlottedPool,
  gateway: GatewayEntry,
  { path, json, maxAnswerBytes }: PeerQuestion,
  scope: AsyncDisposableStack,
): Promise<Buffer> {
  const bytes = Buffer.from(json)
  try {
    const reply = await sendOver(pool, {
      ...{ method: 'POST', path, scope, answerMs: QUESTION_MS },
      headers: [['content-type', 'application/json']],
      body: { ...EMPTY_BODY, size: bytes.length, bytes },
    })
    const cut = setTimeout(() => reply.stream.destroy(), QUESTION_MS)
    scope.defer(() => clearTimeout(cut))
    if (reply.status !== 200) throw await readRefusal(reply, gateway)
    return await readAtMost(reply.stream, maxAnswerBytes)
  } catch (error) {
    if (!(error instanceof BodyTooLongError)) throw translate(error, gateway)
    const detail = `gateway ${gateway.id} gave an answer that is too long`
    throw new ExchangeError('provider.answer-invalid', detail, { cause: error })
  }
}

/** What is not a signed answer is a refusal, in a problem document. */
async function readRefusal(
  { status, stream, rawHeaders }: Reply,
  gateway: GatewayEntry,
): Promise<ExchangeError> {
  try {
    const text = (await readAtMost(stream, LIMITS.problemBytes)).toString('utf8')
    if (status >= 400) {
      const refusal = fromProblem(JSON.parse(text))
      const seconds = retryAfter(rawHeaders)
      if (seconds !== undefined) refusal.retryAfterSeconds = seconds
      return refusal
    }
  } catch {
    // Told below: whatever came, it was no problem document.
  }
  return new ExchangeError(
    'provider.answer-invalid',
    `gateway ${gateway.id} answered ${status} with neither a manifest nor a refusal`,
  )
}

/** Seconds only: dates are not sent between gateways. */
function retryAfter(rawHeaders: readonly string[]): number | undefined {
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && /^retry-after$/i.test(name))
  const value = at === -1 ? '' : rawHeaders[at + 1]!
  return /^\d{1,6}$/.test(value) ? Number(value) : undefined
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
