import { Agent, request } from 'undici'
import { ExchangeError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import { fromProblem } from '../protocol/problem.ts'
import { readAtMost } from '../runtime/http-body.ts'
import { CertificateError, type Certificate } from './certificate.ts'
import { parseCsr } from './csr.ts'
import { signerOf } from './path.ts'
import { parseCertsOnly } from './pkcs7.ts'

/** The certificate that was asked for first, then those between it and the root. */
export type Issued = readonly Certificate[]
/** The operator has to approve: the same request is sent again after this time (RFC 7030 §4.2.3). */
export interface Awaited {
  readonly retryAfterMs: number
}

/**
 * Asks an authority by Enrollment over Secure Transport (RFC 7030).
 *
 * Every operation throws ExchangeError: the authority's own code when it refuses, or
 * `enrolment.unavailable` naming the address when it does not answer by the protocol.
 */
export interface EstClient extends AsyncDisposable {
  /** Certificates of the authority (§4.1), and the time that its answer bears. */
  cacerts(): Promise<{ certificates: Certificate[]; date: Date | undefined }>
  /** @param code one-time code, sent by HTTP Basic (§3.2.3). */
  enroll(csr: Uint8Array, code: string): Promise<Issued | Awaited>
  /** Renews as whom the TLS client certificate names (§4.2.2). */
  reenroll(csr: Uint8Array): Promise<Issued | Awaited>
}

interface Options {
  /** `https://HOST:PORT` of the authority's enrolment port. */
  readonly url: string
  /** PEM: where the certificate of that port leads to. */
  readonly rootCertificates: readonly string[]
  /** Shown in the handshake, PEM. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

const ANSWER_MS = 20_000
const MAX_ANSWER_BYTES = 262_144
const DEFAULT_RETRY_MS = 15_000
const MAX_CHAIN = 6

export function createEstClient({ url, rootCertificates, tls }: Options): EstClient {
  const agent = new Agent({
    connect: { ca: [...rootCertificates], timeout: 5000, minVersion: 'TLSv1.2', ...tls },
  })
  const call = async (name: string, body?: Uint8Array, code?: string): Promise<EstAnswer> => {
    const address = new URL(`/.well-known/est/${name}`, url)
    const basic = Buffer.from(`spean:${code ?? ''}`).toString('base64')
    try {
      const {
        statusCode,
        headers,
        body: stream,
      } = await request(address, {
        dispatcher: agent,
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          accept: 'application/pkcs7-mime, application/problem+json',
          ...(code === undefined ? {} : { authorization: `Basic ${basic}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/pkcs10' }),
        },
        body: body === undefined ? null : Buffer.from(body).toString('base64'),
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
      })
      const text = (await readAtMost(stream, MAX_ANSWER_BYTES)).toString('latin1')
      return { statusCode, headers, text }
    } catch (cause) {
      const { code: why, message } = cause as NodeJS.ErrnoException
      throw unavailable(url, `cannot be reached (${why ?? message})`, cause)
    }
  }
  const cacerts: EstClient['cacerts'] = async () => {
    const answer = await call('cacerts')
    if (answer.statusCode !== 200) throw refusal(url, answer)
    const date = new Date(String(answer.headers.date))
    return {
      certificates: readCertificates(url, answer),
      date: Number.isNaN(date.getTime()) ? undefined : date,
    }
  }
  const ask = async (name: string, csr: Uint8Array, code?: string): Promise<Issued | Awaited> => {
    const answer = await call(name, csr, code)
    if (answer.statusCode === 202) return { retryAfterMs: retryAfterMs(answer.headers) }
    if (answer.statusCode !== 200) throw refusal(url, answer)
    const answered = readCertificates(url, answer)
    // A certs-only message is a set (RFC 5652 §5.1): the certificate is the one with our key.
    const { publicKey } = parseCsr(csr)
    const leaf = answered.find((one) => one.publicKey.equals(publicKey))
    if (leaf === undefined) throw unavailable(url, 'answered with a certificate for another key')
    return chainOf(leaf, [...answered, ...(await cacerts()).certificates])
  }
  return {
    cacerts,
    enroll: (csr, code) => ask('simpleenroll', csr, code),
    reenroll: (csr) => ask('simplereenroll', csr),
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

/** Whether an answer says to come again. */
export const isAwaited = (answer: Issued | Awaited): answer is Awaited => 'retryAfterMs' in answer

interface EstAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

function readCertificates(url: string, { text }: EstAnswer): Certificate[] {
  try {
    // RFC 8951 §3.1: base64 whatever Content-Transfer-Encoding says
    return parseCertsOnly(Buffer.from(text, 'base64'))
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw unavailable(url, `answered something that holds no certificates: ${cause.message}`, cause)
  }
}

/** Seconds, or a date (RFC 9110 §10.2.3). */
function retryAfterMs({ 'retry-after': value }: EstAnswer['headers']): number {
  const text = String(value)
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 1000), 3_600_000) : DEFAULT_RETRY_MS
}

function refusal(url: string, { statusCode, text }: EstAnswer): ExchangeError {
  try {
    if (text.length <= LIMITS.problemBytes) {
      const { code, message } = fromProblem(
        JSON.parse(Buffer.from(text, 'latin1').toString('utf8')),
      )
      if (code !== 'provider.answer-invalid') {
        return new ExchangeError(code, message, { origin: 'authority' })
      }
    }
  } catch {
    // Told below: it is no problem document.
  }
  return unavailable(url, `answered ${statusCode}`)
}

function unavailable(url: string, what: string, cause?: unknown): ExchangeError {
  return new ExchangeError('enrolment.unavailable', `the enrolment address ${url} ${what}`, {
    cause,
  })
}

/** From a certificate up to the one before the root, which every reader has (RFC 8446 §4.4.2). */
function chainOf(leaf: Certificate, others: readonly Certificate[]): Certificate[] {
  const chain = [leaf]
  while (chain.length < MAX_CHAIN) {
    const last = chain.at(-1)!
    const issuer = signerOf(last, others)
    if (issuer === undefined || issuer.subjectDer.equals(issuer.issuerDer)) break
    chain.push(issuer)
  }
  return chain
}
