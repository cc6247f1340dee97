/** Puts the exchange log of a gateway together: where it is kept, what grows it, and all that keeps watch over it. */
import { logFolder } from '../exchange-log/config.ts'
import { startIntegrator, type Integrator, type LogKey } from '../exchange-log/integrator.ts'
import { verifyLogKey } from '../exchange-log/log-key-check.ts'
import { openLogStores, type LogStores } from '../exchange-log/open-log.ts'
import type { ExchangeLogStore } from '../exchange-log/store.ts'
import { startThinning } from '../exchange-log/thinning.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import type { Route } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'
import { createLogRoutes } from './http/log-routes.ts'
import { createStampRoutes } from './http/stamp-routes.ts'
import type { PublicRoute } from './http/transparency-server.ts'
import { createTreeRoutes } from './http/tree-routes.ts'
import type { Knowledge } from './knowledge.ts'
import { openLogArchive } from './log-archive.ts'
import { openLogKeeping, type LogKeeping } from './log-keeping.ts'
import { openPrivateLog, type PrivateLog } from './log-privacy.ts'
import { openOwnLogKeys, type OwnLogKeys } from './own-log-keys.ts'
import { openTimeStamping, type TimeStamping } from './time-stamps/time-stamping.ts'
import { openWitnessing, type Witnessing } from './transparency/witnessing.ts'
import { keepMissing } from './trust/keep-missing.ts'

/** What of a log is on disk, or in PostgreSQL. */
export interface LogParts {
  /** Where the log's own files are. */
  readonly folder: string
  readonly stores: LogStores
  readonly keys: OwnLogKeys
}

export interface OwnLog extends Omit<PrivateLog, 'routes'>, TimeStamping {
  /** Signs the checkpoints; its name is the log's origin. */
  readonly key: LogKey
  /** As they were opened; `records` is the one to write to. */
  readonly stores: LogStores
  /** The store of records, refused once it is known to be rolled back. */
  readonly records: ExchangeLogStore
  /** The same for reading: exchanges that were archived are found where they are. */
  readonly readable: ExchangeLogStore
  readonly integrator: Integrator
  readonly witnessing: Witnessing
  readonly keeping: LogKeeping
  readonly adminRoutes: readonly Route[]
  /** For the port that everybody reaches: the tree, and this gateway as a witness. */
  readonly publicRoutes: readonly PublicRoute[]
}

/** @throws ConfigError when the log cannot be opened, or is signed by another key than the one that is there. */
export async function openLogParts(
  config: GatewayConfig,
  { scope }: { readonly scope: AsyncDisposableStack },
): Promise<LogParts> {
  const { stateDir, exchangeLog } = config
  const folder = logFolder(stateDir, exchangeLog.number)
  const stores = scope.use(await openLogStores({ ...exchangeLog, stateDir: folder }))
  const keys = await openOwnLogKeys(config, await stores.tree.head())
  await verifyLogKey(stores.tree, keys.log.verifier)
  return { folder, stores, keys }
}

/**
 * @param deps.scope ends what runs beside the exchanges, in reverse order.
 * @throws ConfigError
 */
export async function openOwnLog(
  config: GatewayConfig,
  deps: {
    readonly parts: LogParts
    readonly knowledge: Knowledge
    readonly anchor: Anchor
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<OwnLog> {
  const { parts, knowledge, ...context } = deps
  const { folder, stores, keys } = parts
  const { scope, clock, logger } = context
  const { tree, stamps, validation } = stores
  const { catalogue, trust } = knowledge

  const witnessing = await openWitnessing(config, { ...context, keys, stores, catalogue })
  const { records } = witnessing
  const { place, reachable } = openLogArchive(config, { ...context, records, folder })
  const { routes, ...privateLog } = await openPrivateLog(config, {
    ...{ ...context, ...knowledge, records, reachable },
  })
  const { isHolding: isHeld, onCheckpoint } = witnessing
  const growth = { records, tree, key: keys.log, clock, logger }
  const integrator = scope.use(startIntegrator({ ...growth, isHeld, onCheckpoint }))
  scope.use(startThinning({ tree, stamps, clock, logger }))
  await keepMissing({ log: records, validation, snapshot: () => catalogue.newest, trust })
  const timeStamping = openTimeStamping(config, { ...context, ...knowledge, stores })
  const keeping = openLogKeeping(config, {
    ...{ ...context, stores: { ...stores, records }, folder },
    ...{ log: privateLog.log, logKey: keys.log.verifier, place },
  })
  const readable = { ...records, entries: reachable.entries }
  const adminRoutes = [
    ...createLogRoutes(readable),
    ...routes,
    ...keeping.routes,
    ...createStampRoutes(stamps, tree),
    ...witnessing.adminRoutes,
  ]
  const publicRoutes = [...createTreeRoutes({ tree, records, clock }), ...witnessing.publicRoutes]
  return {
    ...{ ...privateLog, ...timeStamping },
    ...{ key: keys.log, stores, records, readable, integrator, witnessing, keeping },
    ...{ adminRoutes, publicRoutes },
  }
}
