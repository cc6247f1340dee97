import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { ExchangeError } from '../../protocol/errors.ts'
import type { UserTokens } from '../ports.ts'
import type { IdentityProvider, IdentityProviders } from './identity-providers.ts'
import { KeysMissingError, type ProviderKeys } from './provider-keys.ts'

/** Nobody who can verify one of these can make one. */
const ALGORITHMS = [
  ...['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'],
  ...['RS256', 'RS384', 'RS512', 'EdDSA', 'Ed25519'],
]
/** How far the clock of an identity provider may be ahead of ours, or behind. */
const TOLERANCE_SECONDS = 10

/**
 * Verifies tokens of users by the keys of their member's identity providers. What is wrong is said without a word of
 * the token: refusals are recorded, and a token is a key while it lasts.
 */
export function createUserTokens(
  providers: Pick<IdentityProviders, 'find'>,
  keys: ProviderKeys,
): UserTokens {
  return {
    verify: async (token, { service, userId, member }, at) => {
      if (userId === undefined) {
        throw new ExchangeError('access.user-missing', `the call names no user`)
      }
      if (token === undefined) {
        const detail = `${service} asks for a signed token of the user`
        throw new ExchangeError('access.token-missing', detail)
      }
      const provider = providerOf(token, member, providers)
      const expected = { issuer: provider.issuer, audience: service, subject: userId }
      try {
        await jwtVerify(token, keys.keysOf(provider), {
          ...expected,
          algorithms: ALGORITHMS,
          requiredClaims: ['exp'],
          clockTolerance: TOLERANCE_SECONDS,
          currentDate: at,
        })
      } catch (error) {
        throw invalid(reasonOf(error, provider, service), error)
      }
    },
  }
}

/** What can be read before a key is looked for. */
function providerOf(
  token: string,
  member: string,
  providers: Pick<IdentityProviders, 'find'>,
): IdentityProvider {
  let issuer: unknown
  let algorithm: unknown
  try {
    algorithm = decodeProtectedHeader(token).alg
    issuer = decodeJwt(token).iss
  } catch (error) {
    throw invalid('it is no JWT of three parts', error)
  }
  if (typeof algorithm !== 'string' || !ALGORITHMS.includes(algorithm)) {
    throw invalid('its algorithm is none of an asymmetric signature (RFC 8725 §3.1)')
  }
  const provider = typeof issuer === 'string' ? providers.find(member, issuer) : undefined
  if (provider !== undefined) return provider
  throw invalid(`its issuer is no identity provider of ${member} at this gateway`)
}

const CLAIMS: Readonly<Record<string, (service: string) => string>> = {
  aud: (service) => `its audience (aud) is not ${service}`,
  sub: () => 'its subject (sub) is not the user that X-Road-UserId names',
  iss: () => 'its issuer (iss) is not the one that was looked up',
  exp: () => 'it has no time at which it expires (exp)',
  nbf: () => 'it is not valid yet (nbf)',
}

function reasonOf(error: unknown, { issuer }: IdentityProvider, service: string): string {
  if (error instanceof KeysMissingError) return error.message
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    return CLAIMS[error.claim]?.(service) ?? `its claim ${error.claim} is not accepted`
  }
  if (error instanceof errors.JWKSNoMatchingKey) return `its key is none of ${issuer}`
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return `it does not say which key of ${issuer} signed it (kid)`
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not verify'
  // What jose says of a key or a header that it cannot use is a TypeError or one of its own.
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return 'its header or its key cannot be used'
  }
  throw error
}

const invalid = (why: string, cause?: unknown): ExchangeError =>
  new ExchangeError('access.token-invalid', `the token of the user is refused: ${why}`, { cause })
