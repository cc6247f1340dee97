import { request, type Dispatcher } from 'undici'
import { ExchangeError } from '../protocol/errors.ts'
import { readAtMost } from '../runtime/http-body.ts'
import type { Certificate } from './certificate.ts'
import { createOcspRequest } from './ocsp-request.ts'
import { verifyOcspResponse, type OcspStatus } from './ocsp-verify.ts'

const ANSWER_MS = 5000
const MAX_ANSWER_BYTES = 65_536

/**
 * Asks the responder that a certificate names about its state (RFC 6960 appendix A), now.
 *
 * @returns the answer as it came, and what it says.
 * @throws ExchangeError `certificate.status-unknown` when there is no answer that can be believed.
 */
export async function fetchOcspAnswer(
  certificate: Certificate,
  issuer: Certificate,
  { at, dispatcher }: { readonly at: Date; readonly dispatcher?: Dispatcher },
): Promise<{ der: Buffer; status: OcspStatus }> {
  const [url] = certificate.ocspUrls
  if (url === undefined) throw unknownState(certificate, 'it names no OCSP responder')
  const der = await ask(url, createOcspRequest(certificate, issuer), dispatcher).catch(
    (cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      throw unknownState(certificate, `${url} cannot be asked (${code ?? message})`, cause)
    },
  )
  return { der, status: verifyOcspResponse(der, { certificate, issuer, at }) }
}

async function ask(
  url: string,
  question: Buffer,
  dispatcher: Dispatcher | undefined,
): Promise<Buffer> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
    body: question,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
    ...(dispatcher ? { dispatcher } : {}),
  })
  const der = await readAtMost(body, MAX_ANSWER_BYTES)
  if (statusCode === 200) return der
  throw new ExchangeError('certificate.status-unknown', `the responder answered ${statusCode}`)
}

function unknownState({ subject }: Certificate, why: string, cause?: unknown): ExchangeError {
  const detail = `the revocation state of ${subject} is not known: ${why}`
  return new ExchangeError('certificate.status-unknown', detail, { cause })
}
