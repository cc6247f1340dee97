import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { ExchangeError } from '../../protocol/errors.ts'
import { createTspRequest, TIMESTAMP_QUERY, TIMESTAMP_REPLY } from '../../pki/tsp-request.ts'
import { verifyTimeStamp, type TimeStamp } from '../../pki/tsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import { BodyTooLongError, readAtMost } from '../../runtime/http-body.ts'
import type { TimeStampingAuthorityEntry } from '../catalogue-view.ts'

/** Asks time-stamping authorities by HTTP (RFC 3161 §3.4). */
export interface TimeStampClient extends AsyncDisposable {
  /**
   * A verified time-stamp of a SHA-256 digest.
   *
   * @throws ExchangeError `timestamp.unavailable`, `timestamp.refused`, `timestamp.untrusted`,
   * `timestamp.invalid`; each names the authority and its address.
   */
  stamp(authority: TimeStampingAuthorityEntry, digest: Uint8Array): Promise<TimeStamp>
}

const ANSWER_MS = 10_000
/** For a whole answer, however slowly it comes. */
const TOTAL_MS = 20_000
const MAX_ANSWER_BYTES = 256 * 1024
const NONCE_BYTES = 8
/** How far the clocks of gateway and authority may differ. */
const TOLERANCE_MS = 5 * 60_000

export function createTimeStampClient({ clock }: { readonly clock: Clock }): TimeStampClient {
  const agent = new Agent({ connect: { timeout: ANSWER_MS } })
  return {
    stamp: async (authority, digest) => {
      const nonce = randomBytes(NONCE_BYTES)
      const der = await ask(authority, agent, { digest, nonce })
      try {
        return verifyTimeStamp(der, {
          hash: 'sha256',
          digest,
          nonce,
          anchors: authority.certificates,
          at: clock(),
          toleranceMs: TOLERANCE_MS,
        })
      } catch (cause) {
        if (!(cause instanceof ExchangeError)) throw cause
        throw faultOf(authority, cause.code, cause.message, cause)
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

async function ask(
  authority: TimeStampingAuthorityEntry,
  agent: Agent,
  question: { readonly digest: Uint8Array; readonly nonce: Uint8Array },
): Promise<Buffer> {
  const unavailable = (why: string, cause?: unknown): ExchangeError =>
    faultOf(authority, 'timestamp.unavailable', why, cause)
  try {
    const { statusCode, body } = await request(authority.url, {
      method: 'POST',
      headers: { 'content-type': TIMESTAMP_QUERY, accept: TIMESTAMP_REPLY },
      body: createTspRequest({ hash: 'sha256', ...question, certReq: true }),
      dispatcher: agent,
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
      signal: AbortSignal.timeout(TOTAL_MS),
    })
    const der = await readAtMost(body, MAX_ANSWER_BYTES)
    if (statusCode === 200) return der
    throw unavailable(`it answers with HTTP status ${statusCode}`)
  } catch (cause) {
    if (cause instanceof ExchangeError) throw cause
    const { code, message } = cause as { code?: unknown; message: string }
    if (cause instanceof BodyTooLongError) throw unavailable(message, cause)
    // undici and the system give a text, an abort (DOMException) a number
    const why = typeof code === 'string' ? code : message
    throw unavailable(`it does not answer (${why})`, cause)
  }
}

function faultOf(
  { name, url }: TimeStampingAuthorityEntry,
  code: ExchangeError['code'],
  detail: string,
  cause: unknown,
): ExchangeError {
  return new ExchangeError(code, `time-stamping authority ${name} at ${url}: ${detail}`, { cause })
}
