import type { createApi } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { isApiKey, principalOfKey } from './api-keys.ts'
import { createAuditTrail } from './audit-trail.ts'
import type { IdentityProviderConfig } from './identity-provider-config.ts'
import { openIdentityProviders } from './identity-providers.ts'
import { createPermit } from './scope.ts'

type Options = 'principalOf' | 'permit' | 'around' | 'onRefusal'

export interface CatalogueAccess extends AsyncDisposable {
  readonly options: Required<Pick<Parameters<typeof createApi>[0], Options>>
}

/** Who may call what: API keys, people of identity providers, their scopes, and the trail of what they did. */
export function openAccess(
  configs: readonly IdentityProviderConfig[],
  deps: {
    readonly db: Database
    readonly instance: string
    readonly clock: Clock
    readonly logger: Logger
  },
): CatalogueAccess {
  const { db, instance, clock } = deps
  const providers = openIdentityProviders(configs, deps)
  return {
    options: {
      principalOf: (token) => {
        if (isApiKey(token)) return principalOfKey(db, clock, token)
        return configs.length === 0 ? undefined : providers.principalOf(token)
      },
      permit: createPermit(db, instance),
      ...createAuditTrail(deps),
    },
    [Symbol.asyncDispose]: () => providers[Symbol.asyncDispose](),
  }
}
