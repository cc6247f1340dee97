/** Puts a gateway together: the file that knows every implementation. `main.ts` runs it. */
import { readGatewayId } from '../protocol/identifiers.ts'
import { readAnchor } from '../runtime/anchor.ts'
import type { Route } from '../runtime/admin-api.ts'
import { systemClock, type Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createSpool } from '../runtime/spool.ts'
import { openSettings } from './access/settings.ts'
import { openAdministration } from './administration.ts'
import { createBodies, type AllBodies } from './bodies.ts'
import type { GatewayConfig } from './config.ts'
import type { EndingContract } from './contracts/expiry.ts'
import { openContracts } from './contracts/open-contracts.ts'
import { openExplaining } from './explain/open-explaining.ts'
import { openKnowledge } from './knowledge.ts'
import { METRICS_PREFIX } from './metrics-table.ts'
import { registerMetrics } from './metrics.ts'
import { openPorts, openTransparencyPort } from './open-ports.ts'
import { openOutgoing } from './outgoing.ts'
import { startOwnCredentials } from './own-credentials.ts'
import { openOwnKeys } from './own-keys.ts'
import { openLogParts, openOwnLog } from './own-log.ts'
import type { ClientGateway, ProviderGateway } from './ports.ts'
import type { RenewalState } from './renewal/renewal.ts'
import { openQuotas } from './quota/open-quotas.ts'
import { createReplayGuard, REPLAY_WINDOW_MS } from './replay/guard.ts'
import { createServices } from './services/services.ts'
import { createSigner } from './signer.ts'
import { createStepRunner } from './step-runner.ts'
import { openValidation } from './validation/open-validation.ts'
import { refusingUnstamped } from './time-stamps/refusing-unstamped.ts'
import { openUserTokens } from './user-tokens/open-user-tokens.ts'

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
  const given = readAnchor(config.anchorFile)
  const outset = { given, scope, clock, logger }

  const keys = await openOwnKeys(config, outset)
  const settings = scope.use(openSettings(`${stateDir}/settings.db`))
  const parts = await openLogParts(config, outset)
  const { validation } = parts.stores
  const knowledge = await openKnowledge(config, { ...outset, validation })
  const { catalogue, clockCheck, trust, ocsp } = knowledge
  const { anchor } = catalogue // live: it follows the rotations
  const context = { anchor, scope, clock, logger }
  const ownLog = await openOwnLog(config, { ...context, parts, knowledge })
  const { log, records, stamper, witnessing } = ownLog

  const { quotas, isAway } = await openQuotas(config, context)
  const tokens = openUserTokens(stateDir, anchor.instance, context)

  const metrics = createMetrics(METRICS_PREFIX)
  const renewal = (): RenewalState[] => own.upkeep.describe().renewal ?? []
  const endingContracts = (): EndingContract[] => ownContracts.ending()
  const told = { store: keys, renewal, ...knowledge, ...ownLog, endingContracts, clock, isAway }
  const onRenewalFailure = registerMetrics(metrics, told)
  const own = startOwnCredentials({ ...context, config, store: keys, knowledge, onRenewalFailure })
  witnessing.startRegistration(own.register)
  const bodies = createConfiguredBodies(config)
  const ownContracts = openContracts(config, { ...context, knowledge, own })
  const { contracts, routes: contractRoutes } = ownContracts
  const outgoing = openOutgoing(config, { ...context, own, knowledge, bodies })

  const recent = await records.servedSince(new Date(clock().getTime() - REPLAY_WINDOW_MS))
  const gw = {
    id: readGatewayId(gatewayId),
    clock,
    clockCheck,
    catalogue,
    trust,
    bodies,
    signer: createSigner(own.credentials, (used) => trust.noteSigner(used)),
    authentication: own.credentials,
    log: refusingUnstamped(log, stamper),
    begin: (incoming: { readonly exchangeId: string }) => createStepRunner(incoming, logger),
    informationSystems: settings,
    peers: outgoing.peers,
    replayGuard: createReplayGuard(recent, clock()),
    accessRules: settings,
    contracts,
    quotas,
    userTokens: tokens.userTokens,
    validation: openValidation({ id: readGatewayId(gatewayId), catalogue, metrics, logger }),
    services: createServices({
      settings,
      http: outgoing.http,
      description: (digest) => catalogue.description(digest),
    }),
  } satisfies ClientGateway & ProviderGateway
  const explaining = openExplaining(config, {
    ...{ gw, peers: outgoing.peers, logger },
    verifyBodySize: (bytes) => bodies.verifySize(bytes),
    verifyStamped: () => stamper.verifyStamped(),
  })
  const ports = await openPorts(config, gw, { ...context, ...own, ocsp, explaining })
  const inner = {
    contractRoutes,
    identityProviderRoutes: tokens.identityProviderRoutes,
    explaining,
  }
  const inside = { ...context, knowledge, own, ownLog, settings, metrics, ...inner }
  const administration = await openAdministration(config, inside)
  const everybody = { ...context, ...own, routes: ownLog.publicRoutes }
  const transparency = await openTransparencyPort(config, everybody)

  const { port: admin, token: adminToken, routes } = administration
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
