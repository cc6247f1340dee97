import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import type { Principal, Route } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { GatewayLog } from '../exchange-log/log.ts'
import { createAuditRoutes, principalOf, readExchangeId, recordShow } from '../http/audit-routes.ts'
import { EVIDENCE_PARAMETERS } from '../http/evidence-routes.ts'
import { parseParameters } from '../http/log-query.ts'
import { createAuditorRoutes } from '../http/auditor-routes.ts'
import { openAuditors } from './auditors.ts'
import { createQueryLog, createTurns } from './query-log.ts'

export interface Auditing {
  readonly routes: readonly Route[]
  readonly auditorOf: (token: string) => Principal | undefined
  /**
   * The route of evidence (`:exchangeId`) as auditors may use it: only for exchanges in their scope, and
   * recorded before it is answered.
   */
  forAuditors(route: Route): Route
}

/** What auditors need: who they are, what they may ask, and that it is recorded. @throws ConfigError */
export function openAuditing(
  { stateDir }: { readonly stateDir: string },
  deps: {
    readonly store: Pick<ExchangeLogStore, 'list' | 'entries' | 'events'>
    readonly tree: TreeStore
    readonly origin: string
    readonly log: Pick<GatewayLog, 'recordEvent'>
    readonly clock: Clock
    readonly scope: AsyncDisposableStack
  },
): Auditing {
  const { store, tree, origin, log, clock, scope } = deps
  const auditors = scope.use(openAuditors(`${stateDir}/auditors.db`, clock))
  const record = createQueryLog(log, clock)
  const read = createTurns()
  return {
    auditorOf: (token) => auditors.auditorOf(token),
    routes: [
      ...createAuditorRoutes(auditors, store, clock),
      ...createAuditRoutes({ store, tree, origin, record, read }),
    ],
    forAuditors: (route) => ({
      ...route,
      access: 'auditor',
      handle: async (request) => {
        const deps = { store, record, read }
        const parameters = parseParameters(request.query, EVIDENCE_PARAMETERS)
        const exchangeId = readExchangeId(request)
        const asked = { exchangeId, query: 'evidence', parameters } as const
        await recordShow(deps, principalOf(request), asked)
        return route.handle(request)
      },
    }),
  }
}
