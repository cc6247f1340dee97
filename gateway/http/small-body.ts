import type { IncomingMessage } from 'node:http'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'

/** For a whole message to arrive: it is one packet or a few. */
const BODY_MS = 10_000

/**
 * Takes in the body of what is no exchange. Unlike an iterator, it leaves the connection open when it gives up: the
 * refusal goes out over it.
 *
 * @param what it is, in the plural.
 * @throws ExchangeError `request.timeout`, `request.body-too-large`, `request.body-incomplete`.
 */
export function receiveSmall(
  request: IncomingMessage,
  maxBytes: number,
  what: string,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let size = 0
  const fail = (code: ErrorCode, detail: string): void => reject(new ExchangeError(code, detail))
  const timer = setTimeout(() => fail('request.timeout', `${what} did not arrive in time`), BODY_MS)
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= maxBytes) chunks.push(chunk)
    else fail('request.body-too-large', `${what} take ${maxBytes} bytes at most`)
  })
  request.once('end', () => resolve(Buffer.concat(chunks)))
  request.once('close', () => fail('request.body-incomplete', `${what} broke off`))
  request.once('error', () => fail('request.body-incomplete', `${what} broke off`))
  return promise.finally(() => clearTimeout(timer))
}
