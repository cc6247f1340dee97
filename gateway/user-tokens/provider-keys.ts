import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Logger } from '../../runtime/logger.ts'
import type { IdentityProvider } from './identity-providers.ts'

/** The keys of an identity provider cannot be had; in words for the caller. */
export class KeysMissingError extends Error {
  override readonly name = 'KeysMissingError'
}

export type FetchJwks = (provider: IdentityProvider) => Promise<JSONWebKeySet>

export interface ProviderKeys {
  /** Finds the key of a token; asks for newer keys when it is unknown. */
  keysOf(provider: IdentityProvider): JWTVerifyGetKey
}

interface Kept {
  readonly provider: IdentityProvider
  find?: JWTVerifyGetKey
  /** By the monotonic clock, as all times here. */
  fetchedAt: number
  askedAt: number
  asking?: Promise<void>
}

/** A token with an unknown key costs one question in so long, whoever sends how many. */
export const INTERVAL_MS = 30_000
/** Older keys are asked for anew, beside the calls; until they come, the old ones count. */
const FRESH_MS = 600_000
/** Older ones count no more: a key that was taken back must not live as long as its server can be kept away. */
const USABLE_MS = 86_400_000

/** Keys of identity providers, kept in memory; an outage of theirs is survived for a day. */
export function createProviderKeys(deps: {
  readonly fetchJwks: FetchJwks
  readonly logger: Logger
  readonly now?: () => number
}): ProviderKeys {
  const { fetchJwks, logger, now = () => performance.now() } = deps
  const all = new Map<string, Kept>()

  const keptOf = (provider: IdentityProvider): Kept => {
    const key = `${provider.member} ${provider.issuer}`
    const kept = all.get(key)
    // A setting that was changed is another object.
    if (kept?.provider === provider) return kept
    const never = Number.NEGATIVE_INFINITY
    const made: Kept = { provider, fetchedAt: never, askedAt: never }
    if (provider.jwks) made.find = createLocalJWKSet(toKeySet(provider.jwks))
    all.set(key, made)
    return made
  }
  const ask = (kept: Kept): Promise<void> => {
    kept.askedAt = now()
    const { provider } = kept
    kept.asking ??= fetchJwks(provider)
      .then((jwks) => {
        kept.find = createLocalJWKSet(toKeySet(jwks))
        kept.fetchedAt = now()
      })
      .catch((error: unknown) => {
        const { issuer, member } = provider
        logger.warn({ err: error, issuer, member }, 'keys of an identity provider are not fetched')
      })
      .finally(() => delete kept.asking)
    return kept.asking
  }
  const mayAsk = (kept: Kept): boolean =>
    kept.asking !== undefined || now() - kept.askedAt >= INTERVAL_MS

  return {
    keysOf: (provider) => async (header, token) => {
      const kept = keptOf(provider)
      const isFetched = provider.jwksUrl !== undefined
      if (isFetched) {
        const age = now() - kept.fetchedAt
        if (age >= USABLE_MS) delete kept.find
        if (kept.find === undefined && mayAsk(kept)) await ask(kept)
        else if (age >= FRESH_MS && mayAsk(kept)) void ask(kept)
      }
      const { find } = kept
      if (find === undefined) {
        throw new KeysMissingError(`the keys of identity provider ${provider.issuer} cannot be had`)
      }
      try {
        return await find(header, token)
      } catch (error) {
        const isNew = error instanceof errors.JWKSNoMatchingKey && isFetched
        if (!isNew || !mayAsk(kept)) throw error
      }
      await ask(kept)
      return await (kept.find ?? find)(header, token)
    },
  }
}

/** Only what a public key has: nothing symmetric is a key of a signature here. */
function toKeySet({ keys }: { readonly keys: readonly object[] }): JSONWebKeySet {
  const isPublic = (key: object): boolean =>
    'kty' in key && ['EC', 'RSA', 'OKP'].includes(String(key.kty)) && !('d' in key)
  return { keys: keys.filter(isPublic) as JSONWebKeySet['keys'] }
}
