import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { generateKeyPair, exportJWK, type CryptoKey, type JWK } from 'jose'
import Provider from 'oidc-provider'
import { Agent, fetch } from 'undici'

export const AUDIENCE = 'https://catalogue.example'

export interface RunningProvider extends AsyncDisposable {
  readonly issuer: string
  /** The key that it signs with: to make what it would never give. */
  readonly key: CryptoKey
  readonly jwk: JWK
  /** An access token (RFC 9068) of the client with that name. */
  token(client: string): Promise<string>
  /** Signs with a new key from now on; the old ones stay in its key set. */
  rotate(): Promise<void>
  /** How often its keys were asked for. */
  keysAsked(): number
}

interface Options {
  /** `aud` of its tokens. */
  readonly audience?: string
  /** Over HTTPS, with this certificate. */
  readonly tls?: { readonly cert: string; readonly key: string }
}
type People = Readonly<Record<string, Record<string, unknown>>>

/** A provider by other authors; each client is somebody with the given claims. */
export async function startIdentityProvider(
  people: People,
  { audience = AUDIENCE, tls }: Options = {},
): Promise<RunningProvider> {
  const first = await makeKey('k1')
  const server = tls ? createHttpsServer(tls) : createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const issuer = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  let keys = [first.jwk]
  let callback = openProvider(issuer, keys, people, audience).callback()
  let keysAsked = 0
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/jwks') keysAsked++
    void callback(request, response)
  })
  return {
    issuer,
    key: first.privateKey,
    jwk: first.jwk,
    keysAsked: () => keysAsked,
    rotate: async () => {
      const { jwk } = await makeKey(`k${keys.length + 1}`)
      keys = [jwk, ...keys]
      callback = openProvider(issuer, keys, people, audience).callback()
    },
    token: async (client) => {
      const dispatcher = new Agent(tls ? { connect: { rejectUnauthorized: false } } : {})
      const answer = await fetch(`${issuer}/token`, {
        dispatcher,
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client}:secret`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE }),
      })
      const body = (await answer.json()) as { access_token?: string }
      await dispatcher.close()
      if (body.access_token !== undefined) return body.access_token
      throw new TypeError(`no token: ${JSON.stringify(body)}`)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

async function makeKey(kid: string): Promise<{ privateKey: CryptoKey; jwk: JWK }> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { privateKey, jwk: { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' } }
}

/** It signs with the first key. */
function openProvider(issuer: string, keys: JWK[], people: People, audience: string): Provider {
  return new Provider(issuer, {
    jwks: { keys },
    clients: Object.keys(people).map((name) => ({
      client_id: name,
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256' as const,
    })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt' as const,
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'ES256' as const } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => people[String(token.clientId)] ?? {},
  })
}
