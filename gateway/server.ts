/** Puts a gateway together: the file that knows every implementation. `main.ts` runs it. */
import { logFolder } from '../exchange-log/config.ts'
import { startIntegrator } from '../exchange-log/integrator.ts'
import { verifyLogKey } from '../exchange-log/log-key-check.ts'
import { openLogStores } from '../exchange-log/open-log.ts'
import { startThinning } from '../exchange-log/thinning.ts'
import { readGatewayId } from '../protocol/identifiers.ts'
import { readAnchor } from '../runtime/anchor.ts'
import type { Route } from '../runtime/admin-api.ts'
import { systemClock, type Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { ensureToken } from '../runtime/private-file.ts'
import { createSpool } from '../runtime/spool.ts'
import { openSettings } from './access/settings.ts'
import { openAuditing } from './auditing/open-auditing.ts'
import { createBodies, type AllBodies } from './bodies.ts'
import { namedIdentity } from './catalogue/named-identity.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { openEvidence } from './evidence/open-evidence.ts'
import { createSettingsRoutes, type SettingsDeps } from './http/admin-routes.ts'
import { createEvidenceRoutes } from './http/evidence-routes.ts'
import { createLogRoutes } from './http/log-routes.ts'
import { createMetricsRoutes } from './http/metrics-routes.ts'
import { createStampRoutes } from './http/stamp-routes.ts'
import { createTreeRoutes } from './http/tree-routes.ts'
import { openKnowledge } from './knowledge.ts'
import { openPrivateLog } from './log-privacy.ts'
import { openLogKeeping } from './log-keeping.ts'
import { METRICS_PREFIX, registerMetrics } from './metrics.ts'
import { openAdminPort, openPorts, openTransparencyPort } from './open-ports.ts'
import { openOutgoing } from './outgoing.ts'
import { startOwnCredentials } from './own-credentials.ts'
import { openOwnKeys } from './own-keys.ts'
import { openOwnLogKeys } from './own-log-keys.ts'
import type { ClientGateway, ProviderGateway } from './ports.ts'
import type { RenewalState } from './renewal/renewal.ts'
import { createReplayGuard, REPLAY_WINDOW_MS } from './replay/guard.ts'
import { createServices } from './services/services.ts'
import { createSigner } from './signer.ts'
import { gatewayStatus } from './status.ts'
import { createStepRunner } from './step-runner.ts'
import { refusingUnstamped } from './time-stamps/refusing-unstamped.ts'
import { openTimeStamping } from './time-stamps/time-stamping.ts'
import { keepMissing } from './trust/keep-missing.ts'
import { openWitnessing } from './transparency/witnessing.ts'

export interface RunningGateway extends AsyncDisposable {
  /** Ports in use; 0 for one that is closed. */
  readonly ports: {
    http: number
    https: number
    peers: number
    admin: number
    transparency: number
  }
  readonly adminToken: string
  /** What the admin port serves. */
  readonly routes: readonly Route[]
}

/** @throws ConfigError when a file or a port cannot be had; nothing stays open then. */
export async function startGateway(
  config: GatewayConfig,
  { logger, clock = systemClock }: { logger: Logger; clock?: Clock },
): Promise<RunningGateway> {
  // Disposed in reverse order: connections drain before the log closes under them.
  await using scope = new AsyncDisposableStack()
  const { gatewayId, stateDir } = config
  const anchor = readAnchor(config.anchorFile)
  const context = { anchor, scope, clock, logger }

  const keys = await openOwnKeys(config, context)
  const folder = logFolder(stateDir, config.exchangeLog.number)
  const stores = scope.use(await openLogStores({ ...config.exchangeLog, stateDir: folder }))
  const { tree, stamps, validation } = stores
  const settings = scope.use(openSettings(`${stateDir}/settings.db`))
  const knowledge = await openKnowledge(config, { ...context, validation })
  const { catalogue, ocsp, clockCheck } = knowledge
  const logKeys = await openOwnLogKeys(config, await tree.head())
  await verifyLogKey(tree, logKeys.log.verifier)
  const witnessing = await openWitnessing(config, { ...context, keys: logKeys, stores, catalogue })
  const { records } = witnessing
  const { log, ...privacy } = await openPrivateLog(config, { ...context, ...knowledge, records })
  const growth = { records, tree, key: logKeys.log, clock, logger }
  const { isHolding: isHeld, onCheckpoint } = witnessing
  const integrator = scope.use(startIntegrator({ ...growth, isHeld, onCheckpoint }))
  scope.use(startThinning({ tree, stamps, clock, logger }))
  await keepMissing({
    log: records,
    validation,
    snapshot: () => catalogue.newest,
    trust: knowledge.trust,
  })
  const { stamper, ...stamping } = openTimeStamping(config, { ...context, ...knowledge, stores })

  const logKey = logKeys.log.verifier
  const keeping = openLogKeeping(config, {
    ...context,
    stores: { ...stores, records },
    log,
    logKey,
    folder,
  })

  const metrics = createMetrics(METRICS_PREFIX)
  const renewal = (): RenewalState[] => own.upkeep.describe().renewal ?? []
  const told = {
    store: keys,
    renewal,
    ...knowledge,
    stamper,
    integrator,
    witnessing,
    keeping,
    clock,
  }
  const onRenewalFailure = registerMetrics(metrics, told)
  const own = startOwnCredentials({ ...context, config, store: keys, knowledge, onRenewalFailure })
  witnessing.startRegistration(own.register)
  const bodies = createConfiguredBodies(config)
  const outgoing = openOutgoing(config, { ...context, own, knowledge, bodies })

  const recent = await records.servedSince(new Date(clock().getTime() - REPLAY_WINDOW_MS))
  const gw: ClientGateway & ProviderGateway = {
    id: readGatewayId(gatewayId),
    clock,
    clockCheck,
    catalogue,
    trust: knowledge.trust,
    bodies,
    signer: createSigner(own.credentials, (used) => knowledge.trust.noteSigner(used)),
    authentication: own.credentials,
    log: refusingUnstamped(log, stamper),
    begin: (incoming) => createStepRunner(incoming, logger),
    informationSystems: settings,
    peers: outgoing.peers,
    replayGuard: createReplayGuard(recent, clock()),
    accessRules: settings,
    services: createServices({
      settings,
      http: outgoing.http,
      description: (digest) => catalogue.description(digest),
    }),
  }
  const ports = await openPorts(config, gw, { ...context, ...own, ocsp })

  const adminToken = ensureToken(`${stateDir}/admin.token`)
  const { warnings } = privacy
  const status = (): object =>
    gatewayStatus({
      ...{ config, ...knowledge, ...own, stamper, integrator, witnessing, warnings, keeping },
      clock,
    })
  const origin = logKeys.log.verifier.name
  const auditing = openAuditing(config, { ...context, store: records, tree, origin, log })
  const routes: Route[] = [
    ...createSettingsRoutes({ ...settingsDeps(config, catalogue, clock), settings, status }),
    ...createLogRoutes(records),
    ...privacy.routes,
    ...keeping.routes,
    ...createStampRoutes(stamps, tree),
    ...createEvidenceRoutes(
      openEvidence({
        ...{ ...context, ...privacy, ...stamping, stores, integrator, stamper, ocsp },
        key: logKeys.log,
        policy: () => catalogue.newest?.logPolicy?.text,
      }),
      logger,
    ).map((route) => auditing.forAuditors(route)),
    ...createMetricsRoutes(metrics),
    ...witnessing.adminRoutes,
    ...auditing.routes,
  ]
  routes.push(auditing.describe(routes))
  const admin = await openAdminPort(config, {
    ...{ ...context, ...own, routes, token: adminToken },
    auditorOf: auditing.auditorOf,
  })

  const publicRoutes = [...createTreeRoutes({ tree, records, clock }), ...witnessing.publicRoutes]
  const everybody = { ...context, ...own, routes: publicRoutes }
  const transparency = await openTransparencyPort(config, everybody)

  const open = scope.move()
  return {
    ports: { ...ports, admin, transparency },
    adminToken,
    routes,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

function createConfiguredBodies(config: GatewayConfig): AllBodies {
  const spool = createSpool({
    dir: `${config.stateDir}/spool`,
    memoryBytes: config.bodyMemoryBytes,
    maxStoredBytes: config.spoolMaxBytes,
  })
  const { idleMs, requestMs: totalMs } = config.timeouts
  return createBodies(spool, { maxBytes: config.maxBodyBytes, idleMs, totalMs })
}

/** What the administration knows of the instance. */
function settingsDeps(
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
