import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKeyPair, exportJWK, type CryptoKey, type JWK } from 'jose'
import Provider from 'oidc-provider'

export const AUDIENCE = 'https://catalogue.example'

export interface RunningProvider extends AsyncDisposable {
  readonly issuer: string
  /** The key that it signs with: to make what it would never give. */
  readonly key: CryptoKey
  readonly jwk: JWK
  /** An access token (RFC 9068) of the client with that name. */
  token(client: string): Promise<string>
  /** How often its keys were asked for. */
  keysAsked(): number
}

/** A provider by other authors; each client is somebody with the given claims. */
export async function startIdentityProvider(
  people: Readonly<Record<string, Record<string, unknown>>>,
): Promise<RunningProvider> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    jwks: { keys: [jwk] },
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
          audience: AUDIENCE,
          accessTokenFormat: 'jwt' as const,
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'ES256' as const } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => people[String(token.clientId)] ?? {},
  })
  let keysAsked = 0
  const callback = provider.callback()
  server.on('request', (request, response) => {
    if (request.url === '/jwks') keysAsked++
    void callback(request, response)
  })
  return {
    issuer,
    key: privateKey,
    jwk,
    keysAsked: () => keysAsked,
    token: async (client) => {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client}:secret`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE }),
      })
      const body = (await answer.json()) as { access_token?: string }
      if (body.access_token !== undefined) return body.access_token
      throw new TypeError(`no token: ${JSON.stringify(body)}`)
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
