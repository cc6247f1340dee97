import { readFileSync } from 'node:fs'
import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose'
import { Agent, fetch } from 'undici'
import { ExchangeError } from '../protocol/errors.ts'
import type { Principal } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import { ConfigError } from '../runtime/config.ts'
import { SAFE_URL, type IdentityProviderConfig } from './identity-provider-config.ts'
import { readScope } from './scope.ts'

/** Signatures only: with `none` and with shared secrets, anybody is whoever they like. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'RS384', 'PS384', 'ES384', 'RS512', 'PS512', 'EdDSA']
const MAX_TOKEN = 12_000
const ANSWER_MS = 5_000
const KEYS_MS = 600_000
const RETRY_MS = 10_000
const TOLERANCE_S = 30

export interface IdentityProviders extends AsyncDisposable {
  /** @throws ExchangeError `admin.unauthenticated`; `admin.not-permitted` when it is for no role. */
  principalOf(token: string): Promise<Principal>
}

/** @throws ConfigError when a file of roots cannot be read, or two providers have one issuer. */
export function openIdentityProviders(
  configs: readonly IdentityProviderConfig[],
  { instance, clock }: { readonly instance: string; readonly clock: Clock },
): IdentityProviders {
  const providers = new Map(configs.map((config) => [config.issuer, openProvider(config, clock)]))
  if (providers.size < configs.length)
    throw new ConfigError('identityProviders: an issuer is twice')
  return {
    principalOf: async (token) => {
      const issuer = issuerOf(token)
      const provider = providers.get(issuer)
      if (!provider)
        throw refused(`the token is of ${issuer}, which is no provider of this catalogue`)
      const { config, keys } = provider
      const { audience } = config
      const claims = await jwtVerify(token, keys, {
        ...{
          issuer,
          audience,
          algorithms: ALGORITHMS,
          requiredClaims: ['exp', config.personClaim],
        },
        ...{ clockTolerance: TOLERANCE_S, currentDate: clock() },
      }).catch((error: unknown) => {
        throw refused(why(error, config), error)
      })
      return toPrincipal(instance, config, claims.payload)
    },
    [Symbol.asyncDispose]: async () => {
      for (const { agent } of providers.values()) await agent.close()
    },
  }
}

/** Read before anything is verified: it only says whose keys to try. */
function issuerOf(token: string): string {
  if (token.length > MAX_TOKEN) throw refused('the token is too long')
  try {
    const { alg = '' } = decodeProtectedHeader(token)
    if (!ALGORITHMS.includes(alg)) {
      throw refused(`the token is signed with ${JSON.stringify(alg)}, which is not accepted`)
    }
    return decodeJwt(token).iss ?? 'nobody'
  } catch (cause) {
    if (cause instanceof ExchangeError) throw cause
    throw refused('the bearer token is not the one of this program, no API key, and no JWT', cause)
  }
}

interface Provider {
  readonly config: IdentityProviderConfig
  readonly agent: Agent
  readonly keys: JWTVerifyGetKey
}

function openProvider(config: IdentityProviderConfig, clock: Clock): Provider {
  const { issuer, jwksUrl, caFile } = config
  const agent = new Agent({ connect: caFile === undefined ? {} : { ca: readRoots(caFile) } })
  const get = async (url: string): Promise<Response> =>
    // The answers of undici's fetch are those of the platform's, but not by name.
    (await fetch(url, {
      dispatcher: agent,
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS),
    })) as unknown as Response
  let set: Promise<JWTVerifyGetKey> | undefined
  let failedAt = 0
  const open = async (): Promise<JWTVerifyGetKey> => {
    const url = new URL(jwksUrl ?? (await discover(issuer, get)))
    return createRemoteJWKSet(url, { cacheMaxAge: KEYS_MS, [customFetch]: get })
  }
  return {
    config,
    agent,
    keys: async (header, token) => {
      const now = clock().getTime()
      if (set === undefined && now - failedAt < RETRY_MS) throw new errors.JWKSTimeout()
      set ??= open()
      const found = await set.catch((error: unknown) => {
        set = undefined
        failedAt = now
        throw error
      })
      return found(header, token)
    },
  }
}

/** OpenID Connect Discovery 1.0 §4: the document must name the issuer it was asked of. */
async function discover(issuer: string, get: (url: string) => Promise<Response>): Promise<string> {
  const answer = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const document = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown }
  const { jwks_uri: url } = document
  if (document.issuer !== issuer || typeof url !== 'string') {
    throw new errors.JWKSInvalid('the discovery document is of another issuer')
  }
  if (SAFE_URL.test(url)) return url
  throw new errors.JWKSInvalid('the keys of the provider are at an address without TLS')
}

function toPrincipal(
  instance: string,
  { name: provider, personClaim, roles }: IdentityProviderConfig,
  claims: JWTPayload,
): Principal {
  const subject = textOf(claims[personClaim])
  if (subject === '') throw refused(`the token of ${provider} has no text in "${personClaim}"`)
  const person = `${provider}:${subject}`
  const name = textOf(claims.name ?? claims.preferred_username ?? claims.email) || person
  const found = roles.find(({ claim, value }) => valuesOf(claims[claim]).includes(value))
  if (found === undefined) {
    throw notPermitted(`${person} has no role here; the catalogue's identityProviders say who has`)
  }
  const { role, scopeClaim } = found
  const given = found.scope ?? (scopeClaim === undefined ? undefined : valuesOf(claims[scopeClaim]))
  try {
    const scope = readScope(instance, role, given)
    return {
      ...{ role, name, person, credential: `OpenID Connect ${provider}` },
      ...(scope ? { scope } : {}),
      ...(claims.exp === undefined ? {} : { expiresAt: new Date(claims.exp * 1000) }),
    }
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw notPermitted(`${person} is ${role} of nothing here: ${cause.message}`)
  }
}

const valuesOf = (claim: unknown): string[] =>
  [claim].flat().filter((value) => typeof value === 'string')

/** People read it in the trail. */
const textOf = (claim: unknown): string =>
  typeof claim === 'string'
    ? claim
        .toWellFormed()
        .replaceAll(/\p{Cc}/gu, '')
        .slice(0, 300)
    : ''

function why(error: unknown, { name, audience }: IdentityProviderConfig): string {
  if (error instanceof errors.JWTExpired) return `the token of ${name} has expired`
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return `the token of ${name} is not for ${audience}`
    return `the token of ${name} has no good "${error.claim}"`
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return `the token is signed with a key that ${name} does not have`
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return `the signature of the token is not of ${name}`
  }
  if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) {
    return `the token of ${name} cannot be verified (${error.code})`
  }
  return `the keys of ${name} cannot be had now; try again`
}

function readRoots(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code})`, { cause })
  }
}

const refused = (detail: string, cause?: unknown): ExchangeError =>
  new ExchangeError('admin.unauthenticated', detail, { cause })
const notPermitted = (detail: string): ExchangeError =>
  new ExchangeError('admin.not-permitted', detail)
