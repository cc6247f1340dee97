import { createSecureContext } from 'node:tls'
import type { JSONWebKeySet } from 'jose'
import { Agent, request } from 'undici'
import { readAtMost } from '../../runtime/http-body.ts'
import { isKeySet } from './key-set.ts'
import { KeysMissingError } from './provider-keys.ts'
import type { IdentityProvider } from './identity-providers.ts'

const CONNECT_MS = 2000
/** For the whole answer: the call of a user waits for it. */
const TOTAL_MS = 4000
const MAX_BYTES = 256 * 1024

/**
 * Fetches the keys of an identity provider, over TLS; no redirect is followed.
 *
 * @throws KeysMissingError for an answer that is no set of keys; otherwise what the connection says.
 */
export async function fetchJwks({
  jwksUrl = '',
  caCertificates,
}: IdentityProvider): Promise<JSONWebKeySet> {
  const minVersion = 'TLSv1.2'
  const own = caCertificates === undefined ? {} : { ca: caCertificates }
  const secureContext = createSecureContext({ ...own, minVersion })
  await using agent = closing(
    new Agent({ connections: 1, connect: { timeout: CONNECT_MS, secureContext } }),
  )
  const { statusCode, body } = await request(jwksUrl, {
    dispatcher: agent.value,
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(TOTAL_MS),
  })
  const text = (await readAtMost(body, MAX_BYTES)).toString('utf8')
  if (statusCode !== 200) throw new KeysMissingError(`the answer has status ${statusCode}`)
  const value = parse(text)
  if (isKeySet(value)) return value
  throw new KeysMissingError('the answer is no set of keys')
}

const closing = (agent: Agent): AsyncDisposable & { readonly value: Agent } => ({
  value: agent,
  [Symbol.asyncDispose]: () => agent.destroy(),
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
