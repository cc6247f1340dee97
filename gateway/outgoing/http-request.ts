import { errors, type Pool } from 'undici'
import { toRawHeaders, type HeaderBlock } from '../../protocol/header-block.ts'
import type { SpooledBody } from '../../runtime/spool.ts'
import type { Reply } from '../exchange-state.ts'
import type { Slots } from './slots.ts'

interface Message {
  readonly method: string
  /** Sent byte for byte. */
  readonly path: string
  readonly headers: HeaderBlock
  readonly body: SpooledBody
  /** When it is disposed, what was not read of the answer is given up, and its connection with it. */
  readonly scope: AsyncDisposableStack
  /** Longest wait for the head of the answer; the pool's when undefined. */
  readonly answerMs?: number
}

export interface SlottedPool {
  readonly pool: Pool
  readonly slots: Slots
}

/** All connections are in use, and stayed so. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
}

/**
 * Sends a message over a pool; resolves with the head of the answer, whatever its status.
 *
 * @throws OverloadedError, or an error of undici: {@link httpFailure} tells which kind.
 */
export async function sendOver({ pool, slots }: SlottedPool, message: Message): Promise<Reply> {
  const { method, path, headers, body, scope, answerMs } = message
  if (!(await slots.take(scope))) throw new OverloadedError('all connections are in use')
  const sends = body.size > 0
  const length = sends ? ['content-length', String(body.size)] : []
  const answer = await pool.request({
    method: method as 'GET', // undici's type leaves TRACE out
    path,
    headers: [...toRawHeaders(headers), ...length],
    body: sends ? (body.bytes ?? body.open()) : null,
    responseHeaders: 'raw',
    ...(answerMs === undefined ? {} : { headersTimeout: answerMs }),
  })
  scope.defer(() => {
    answer.body.on('error', () => undefined) // it says that we gave up
    answer.body.destroy()
  })
  // With responseHeaders: 'raw' they are names and values in turn, one character for each byte.
  const rawHeaders = answer.headers as unknown as string[]
  return { status: answer.statusCode, rawHeaders, stream: answer.body }
}

/** `unreachable`, `overloaded`: nothing was sent. After the others the call may have been carried out. */
export type HttpFailure =
  'unreachable' | 'overloaded' | 'timeout' | 'not-http' | 'broke-off' | 'stopping'

/** What kind of failure an error of {@link sendOver} is; undefined for what is a fault of ours. */
export function httpFailure(error: unknown): HttpFailure | undefined {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (error instanceof OverloadedError) return 'overloaded'
  if (error instanceof errors.ConnectTimeoutError) return 'unreachable'
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return 'timeout'
  }
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) {
    return 'stopping'
  }
  if (code.startsWith('ERR_SSL') || /before secure TLS connection/.test(message)) {
    return 'unreachable'
  }
  if (error instanceof errors.SocketError || error instanceof errors.InformationalError) {
    return 'broke-off'
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return 'broke-off'
  }
  // Whatever else undici says of an answer; it asserts on a status below 100.
  const refused = error instanceof errors.UndiciError || error instanceof errors.HTTPParserError
  if (refused || code === 'ERR_ASSERTION') return 'not-http'
  return /^E[A-Z]+$/.test(code) ? 'unreachable' : undefined
}
