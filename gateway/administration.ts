/** All that the admin port of a gateway serves, to its administrator and to auditors. */
import { readGatewayId } from '../protocol/identifiers.ts'
import type { Route } from '../runtime/admin-api.ts'
import { createDescriptionRoute } from '../runtime/openapi-description.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { ensureToken } from '../runtime/private-file.ts'
import type { Settings } from './access/settings.ts'
import { openAuditing } from './auditing/open-auditing.ts'
import { namedIdentity } from './catalogue/named-identity.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { openEvidence } from './evidence/open-evidence.ts'
import type { Explaining } from './explain/explain.ts'
import { createSettingsRoutes, type SettingsDeps } from './http/admin-routes.ts'
import { createEvidenceRoutes } from './http/evidence-routes.ts'
import { createExplainRoutes } from './http/explain-routes.ts'
import { createMetricsRoutes } from './http/metrics-routes.ts'
import { GATEWAY_API } from './http/openapi.ts'
import type { Knowledge } from './knowledge.ts'
import { openAdminPort } from './open-ports.ts'
import type { OwnCredentials } from './own-credentials.ts'
import type { OwnLog } from './own-log.ts'
import { gatewayStatus } from './status.ts'

export interface Administration {
  readonly port: number
  /** The administrator's. */
  readonly token: string
  readonly routes: readonly Route[]
}

/** @param deps.scope closes the port. @throws ConfigError when the port cannot be had. */
export async function openAdministration(
  config: GatewayConfig,
  deps: {
    readonly knowledge: Knowledge
    readonly own: OwnCredentials
    readonly ownLog: OwnLog
    readonly settings: Settings
    readonly metrics: Metrics
    readonly contractRoutes: readonly Route[]
    readonly identityProviderRoutes: readonly Route[]
    readonly explaining: Explaining
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<Administration> {
  const { knowledge, own, ownLog, settings, metrics, contractRoutes, ...context } = deps
  const { clock, logger } = context
  const { readable, stores, key, log } = ownLog
  const { tree } = stores

  const status = (): object => gatewayStatus({ config, ...knowledge, ...own, ...ownLog, clock })
  const evidence = openEvidence({
    ...{ ...context, ...ownLog, ocsp: knowledge.ocsp },
    stores: { ...stores, records: readable },
    policy: () => knowledge.catalogue.newest?.logPolicy?.text,
  })
  const origin = key.verifier.name
  const auditing = openAuditing(config, { ...context, store: readable, tree, origin, log })

  const described: Route[] = [
    ...createSettingsRoutes({
      ...instanceOf(config, knowledge.catalogue, clock),
      settings,
      status,
    }),
    ...contractRoutes,
    ...ownLog.adminRoutes,
    ...createEvidenceRoutes(evidence, logger).map((route) => auditing.forAuditors(route)),
    ...createMetricsRoutes(metrics),
    ...deps.identityProviderRoutes,
    ...createExplainRoutes(deps.explaining),
    ...auditing.routes,
  ]
  const routes = [...described, createDescriptionRoute(GATEWAY_API, described)]
  const token = ensureToken(`${config.stateDir}/admin.token`)
  const { auditorOf: principalOf } = auditing
  const port = await openAdminPort(config, { ...context, ...own, routes, token, principalOf })
  return { port, token, routes }
}

/** What the administration knows of the instance. */
function instanceOf(
  { gatewayId }: GatewayConfig,
  catalogue: SnapshotClient,
  clock: Clock,
): Pick<SettingsDeps, 'clock' | 'instance' | 'speaksFor' | 'identityOf'> {
  return {
    clock,
    instance: readGatewayId(gatewayId).instance,
    speaksFor: (subsystem) => catalogue.newest?.gateway(gatewayId)?.clients.has(subsystem),
    identityOf: (certificate) => {
      const snapshot = catalogue.newest
      const named = snapshot && namedIdentity(certificate, snapshot, clock())
      return named ? named.identity : certificate.identity
    },
  }
}
