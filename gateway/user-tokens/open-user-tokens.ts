import type { Route } from '../../runtime/admin-api.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { UserTokens } from '../ports.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { createIdentityProviderRoutes } from './identity-provider-routes.ts'
import { openIdentityProviders } from './identity-providers.ts'
import { createProviderKeys } from './provider-keys.ts'
import { createUserTokens } from './user-tokens.ts'

export interface OpenUserTokens {
  readonly userTokens: UserTokens
  readonly identityProviderRoutes: readonly Route[]
}

/** Tokens of users at a provider's gateway, and the administration of who signs them. @throws ConfigError */
export function openUserTokens(
  stateDir: string,
  instance: string,
  { scope, logger }: { readonly scope: AsyncDisposableStack; readonly logger: Logger },
): OpenUserTokens {
  const providers = scope.use(openIdentityProviders(`${stateDir}/identity-providers.db`))
  const keys = createProviderKeys({ fetchJwks, logger })
  return {
    userTokens: createUserTokens(providers, keys),
    identityProviderRoutes: createIdentityProviderRoutes(providers, instance),
  }
}
