import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { ExchangeError } from '../../protocol/errors.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Answer, OcspQuestion } from './known-state.ts'

/** Asks OCSP responders (RFC 6960 appendix A.1). */
export interface OcspClient extends AsyncDisposable {
  /** @throws ExchangeError `certificate.status-unknown`, or an error of the network. */
  ask(question: OcspQuestion): Promise<Answer>
}

const ANSWER_MS = 5000
const MAX_ANSWER_BYTES = 65_536
const NONCE_BYTES = 32 // RFC 9654 §2.1

export function createOcspClient(clock: Clock): OcspClient {
  const agent = new Agent({ connect: { timeout: ANSWER_MS } })
  return {
    ask: async ({ certificate, issuer, nonce: nonceIs }) => {
      const [url] = certificate.ocspUrls
      if (url === undefined) {
        throw new ExchangeError(
          'certificate.status-unknown',
          'the certificate names no OCSP responder',
        )
      }
      const nonce = randomBytes(NONCE_BYTES)
      const { statusCode, body } = await request(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/ocsp-request',
          accept: 'application/ocsp-response',
        },
        body: createOcspRequest(certificate, issuer, { nonce }),
        dispatcher: agent,
        headersTimeout: ANSWER_MS,
        bodyTimeout: ANSWER_MS,
      })
      const der = await readAtMost(body, MAX_ANSWER_BYTES)
      if (statusCode !== 200) {
        throw new ExchangeError('certificate.status-unknown', `it answered ${statusCode}`)
      }
      const expected = { certificate, issuer, at: clock(), nonce, nonceIs }
      return { der, state: verifyOcspResponse(der, expected), source: 'responder' }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}
