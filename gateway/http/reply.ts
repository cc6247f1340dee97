import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { toRawHeaders, type HeaderBlock } from '../../protocol/header-block.ts'
import { toXRoadFault, type Problem } from '../../protocol/problem.ts'
import type { Answer } from '../exchange-state.ts'

/** How long what is left of a refused request is read, so that its sender sees the refusal. */
const DRAIN_MS = 2000

/**
 * Sends a verified (or signed) answer; the bytes and headers are the ones that were signed.
 *
 * @param idleMs a reader that takes nothing for so long is given up: its answer holds disk and memory.
 */
export async function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: Answer,
  idleMs: number,
  added: HeaderBlock = [],
): Promise<void> {
  response.setTimeout(idleMs, () => response.destroy())
  const bodiless = status === 204 || status === 304 || response.req.method === 'HEAD'
  const length = bodiless ? [] : ['content-length', String(body.size)]
  response.sendDate = false // the answer has the service's own
  response.writeHead(status, [...toRawHeaders(headers), ...toRawHeaders(added), ...length])
  if (bodiless || body.size === 0) response.end()
  else if (body.bytes) response.end(body.bytes)
  else await pipeline(body.open(), response)
}

/** A refusal as X-Road's clients know it, or as the client asked for it (protocol/README.md §8.2). */
export function faultBody(
  problem: Problem,
  accept: string | undefined,
): { contentType: string; body: string } {
  const wanted = (accept ?? '')
    .split(',')
    .map((type) => type.split(';', 1)[0]!.trim().toLowerCase())
  for (const type of wanted) {
    if (type === 'application/problem+json') {
      return { contentType: type, body: JSON.stringify(problem) }
    }
    if (type === 'text/xml' || type === 'application/xml' || type === 'text/*') {
      const contentType = type === 'text/*' ? 'text/xml' : type
      return { contentType: `${contentType};charset=utf-8`, body: faultXml(problem) }
    }
    if (type === 'application/json') break
  }
  const body = JSON.stringify(toXRoadFault(problem))
  return { contentType: 'application/json;charset=utf-8', body }
}

function faultXml(problem: Problem): string {
  const escape = (text: string): string =>
    text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  const { type, message, detail } = toXRoadFault(problem)
  return `<?xml version="1.0" encoding="UTF-8"?><error><type>${escape(type)}</type><message>${escape(message)}</message><detail>${escape(detail)}</detail></error>`
}

/** A refusal as it goes out. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: string
}

/**
 * Refuses; what is left of the request is read for a while, and then its connection ends.
 *
 * @param retryAfterSeconds when the same may be tried again, if that is known.
 */
export async function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
  retryAfterSeconds?: number,
): Promise<void> {
  if (response.destroyed || response.headersSent) {
    response.destroy()
    return
  }
  if (!request.complete) response.shouldKeepAlive = true // see drain
  const bytes = Buffer.from(refusal.body, 'utf8')
  response.writeHead(refusal.status, {
    ...refusal.headers,
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    'content-type': refusal.contentType,
    'content-length': bytes.length,
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
  if (!request.complete) await drain(request)
}

// A connection closed with unread data is reset, and the reset may overtake the answer (RFC 9112 §9.6):
// so no `Connection: close`, on which node:http would close it at once.
async function drain(request: IncomingMessage): Promise<void> {
  request.resume()
  await once(request, 'close', { signal: AbortSignal.timeout(DRAIN_MS) }).catch(() => undefined)
  if (!request.complete) request.destroy()
}
