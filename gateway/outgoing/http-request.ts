import { errors, type Pool } from 'undici'
import { toRawHeaders, type HeaderBlock } from '../../protocol/header-block.ts'
import type { SpooledBody } from '../../runtime/spool.ts'
import type { Reply } from '../exchange-state.ts'

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

/** Sends a message over a pool; resolves with the head of the answer, whatever its status. */
export async function sendOver(pool: Pool, message: Message): Promise<Reply> {
  const { method, path, headers, body, scope, answerMs } = message
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

/** `unreachable`: nothing was sent. After the others the call may have been carried out. */
export type HttpFailure = 'unreachable' | 'timeout' | 'not-http' | 'broke-off'

/** What kind of failure an undici error is; undefined for what is none of the other side's. */
export function httpFailure(error: unknown): HttpFailure | undefined {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (error instanceof errors.ConnectTimeoutError) return 'unreachable'
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return 'timeout'
  }
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError) {
    return 'not-http'
  }
  if (code.startsWith('ERR_SSL') || /before secure TLS connection/.test(message)) {
    return 'unreachable'
  }
  if (error instanceof errors.SocketError || code === 'ECONNRESET' || code === 'EPIPE') {
    return 'broke-off'
  }
  return /^E[A-Z]+$/.test(code) ? 'unreachable' : undefined
}
