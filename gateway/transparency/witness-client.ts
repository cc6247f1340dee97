import { hash } from 'node:crypto'
import {
  checkServerIdentity,
  createSecureContext,
  rootCertificates,
  type PeerCertificate,
} from 'node:tls'
import { Agent, request } from 'undici'
import type { PolicyWitness } from '../../protocol/tlog-policy.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { BodyTooLongError, readAtMost } from '../../runtime/http-body.ts'
import { originHashOf } from '../../witness/witness-state.ts'

/** What a witness said; nothing in it is verified. */
export interface WitnessReply {
  readonly status: number
  readonly type: string | undefined
  readonly text: string
}

/** Asks witnesses by C2SP tlog-witness. */
export interface WitnessClient extends AsyncDisposable {
  /** @throws WitnessFault when it cannot be asked, or answers too slowly or too much. */
  submit(witness: PolicyWitness, submission: string): Promise<WitnessReply>
  /**
   * What it cosigned last, as it says; undefined when it says nothing.
   *
   * @throws WitnessFault
   */
  checkpoint(witness: PolicyWitness, origin: string): Promise<string | undefined>
}

/** A witness did not do its part; in words for the operator. */
export class WitnessFault extends Error {
  override readonly name = 'WitnessFault'
}

/** Whom a TLS server may be vouched for by, besides the authorities of the system. */
export interface WitnessTrust {
  readonly authorities: readonly Certificate[]
  /** Whether a certificate is one of a gateway in the catalogue, whatever names stand in it. */
  readonly isListed: (thumbprint: string) => boolean
}

const CONNECT_MS = 3000
/** For a whole answer, however slowly it comes. */
const TOTAL_MS = 6000
const MAX_ANSWER_BYTES = 64 * 1024

export function createWitnessClient(trust: () => WitnessTrust): WitnessClient {
  let agent: Agent | undefined
  let known = ''

  /** Of the authorities of this moment: connections that others vouched for end when they are idle. */
  const agentNow = (): Agent => {
    const { authorities, isListed } = trust()
    const names = authorities.map(({ thumbprint }) => thumbprint).join()
    if (agent !== undefined && names === known) return agent
    void agent?.close()
    known = names
    const ca = [...rootCertificates, ...authorities.map(({ pem }) => pem)]
    agent = new Agent({
      connections: 2,
      keepAliveTimeout: 8000, // shorter than a witness of ours keeps it
      connect: {
        timeout: CONNECT_MS,
        secureContext: createSecureContext({ ca, minVersion: 'TLSv1.2' }),
        checkServerIdentity: (host: string, certificate: PeerCertificate) =>
          isListed(hash('sha256', certificate.raw, 'base64url'))
            ? undefined
            : checkServerIdentity(host, certificate),
      },
    })
    return agent
  }
  const ask = async (
    { name, url = '' }: PolicyWitness,
    path: string,
    question: { readonly method: 'GET' | 'POST'; readonly body?: string },
  ): Promise<WitnessReply> => {
    try {
      const { statusCode, headers, body } = await request(`${url.replace(/\/$/, '')}${path}`, {
        ...question,
        dispatcher: agentNow(),
        ...(question.body === undefined ? {} : { headers: { 'content-type': 'text/plain' } }),
        signal: AbortSignal.timeout(TOTAL_MS),
      })
      const bytes = await readAtMost(body, MAX_ANSWER_BYTES)
      const type = headers['content-type']
      return { status: statusCode, type: [type].flat()[0], text: bytes.toString('utf8') }
    } catch (cause) {
      const { code, message } = cause as { code?: unknown; message: string }
      const why = cause instanceof BodyTooLongError || typeof code !== 'string' ? message : code
      throw new WitnessFault(`witness ${name} at ${url} does not answer (${why})`, { cause })
    }
  }
  return {
    submit: (witness, body) => ask(witness, '/add-checkpoint', { method: 'POST', body }),
    checkpoint: async (witness, origin) => {
      const path = `/${originHashOf(origin)}/checkpoint`
      const { status, text } = await ask(witness, path, { method: 'GET' })
      return status === 200 ? text : undefined
    },
    [Symbol.asyncDispose]: async () => agent?.destroy(),
  }
}
