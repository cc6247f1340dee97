import { createServer } from 'node:https'
import { join } from 'node:path'
import type { Anchor } from '../protocol/snapshot.ts'
import { API_SERVER, createApi, limitApiServer } from '../runtime/admin-api.ts'
import { systemClock, type Clock } from '../runtime/clock.ts'
import { listen } from '../runtime/lifecycle.ts'
import { createLogger, type Logger } from '../runtime/logger.ts'
import { createDescriptionRoute } from '../runtime/openapi-description.ts'
import { openAccess } from './access.ts'
import { ensureAdminToken } from './admin-token.ts'
import { openAnchorFile, type AnchorFile } from './anchor-file.ts'
import { CATALOGUE_API } from './api-about.ts'
import { createChanges } from './changes.ts'
import { CHANGE_NOTICE_DAYS, type CatalogueConfig } from './config.ts'
import { openDatabase } from './database.ts'
import { createEndedCertificates } from './ended-certificates.ts'
import { createGatewayReports } from './gateway-reports.ts'
import { createKeyRotation } from './key-rotation.ts'
import { openOwnWitness } from './own-witness.ts'
import { openPublisher } from './publisher.ts'
import { createCatalogueRoutes } from './routes.ts'
import { createServiceUpkeep } from './service-upkeep.ts'
import { openSnapshotKey } from './snapshot-key.ts'
import { newestSigned } from './snapshot-log.ts'
import { createTlsRenewal, readTlsCredentials } from './tls-credentials.ts'
import { startUpkeep } from './upkeep.ts'
import { createWebhookDelivery } from './webhook-delivery.ts'

/** A running catalogue; disposing it answers who waits, drains connections and closes the store. */
export interface Catalogue extends AsyncDisposable {
  /** Where gateways reach it. */
  readonly url: string
  readonly port: number
  readonly adminToken: string
  readonly anchorFile: string
  /** What stands in the anchor file now. */
  anchor(): Anchor
  snapshotNumber(): number
}

export interface CatalogueOptions {
  readonly clock?: Clock
  readonly logger?: Logger
  /** How often it looks whether a snapshot is due, or a file has changed. */
  readonly checkIntervalMs?: number
}

const CHECK_INTERVAL_MS = 1000

/**
 * Starts the catalogue of one instance; a second start goes on with the state of the first.
 *
 * @param config with absolute paths, see readCatalogueConfig.
 * @throws ConfigError
 */
export async function startCatalogue(
  config: CatalogueConfig,
  options: CatalogueOptions = {},
): Promise<Catalogue> {
  const { instance, stateDir, host, memberClasses, rootCertificateFile } = config
  const { clock = systemClock, logger = createLogger(`catalogue ${instance}`) } = options
  const credentials = readTlsCredentials(config)

  await using resources = new AsyncDisposableStack()
  const db = resources.use(openDatabase(stateDir, instance))
  const key = await openSnapshotKey(stateDir, newestSigned(db) !== undefined)
  const token = ensureAdminToken(stateDir)
  const terms = { instance, lifetimeMs: Math.ceil(config.snapshotLifetimeHours * 3_600_000) }
  const publisher = await openPublisher({ db, key, terms, clock, logger })
  let anchor: AnchorFile | undefined
  const onCommitted = async (): Promise<void> => anchor?.refresh()
  const changes = createChanges({ db, terms, clock, publisher, logger, onCommitted })
  const own = () => ({ snapshot: publisher.current().number, anchor: key.anchorNumber })
  const isListed = (gateway: string): boolean =>
    db.get('SELECT 1 FROM gateway WHERE id = ?', gateway) !== undefined
  const reports = createGatewayReports({ own, isListed, clock, logger })

  const { registration } = config
  const changeNoticeMs = (config.changeNoticeDays ?? CHANGE_NOTICE_DAYS) * 86_400_000
  const publicUrl = (): string => anchor?.current().catalogueUrl ?? ''
  const rotating = { db, changes, publisher, reports, key, anchorFile: () => anchor! }
  const rotation = createKeyRotation(rotating)
  const verifyRoots = (): void => anchor?.verifyRoots()
  const services = { changeNoticeMs, publicUrl, key, rotation, verifyRoots, reports }
  const context = {
    instance,
    memberClasses,
    registration,
    db,
    clock,
    changes,
    publisher,
    ...services,
  }
  const witness = resources.use(await openOwnWitness({ stateDir, instance, db, clock, logger }))
  const described = [...createCatalogueRoutes({ ...context, witness }), ...witness.routes]
  const routes = [...described, createDescriptionRoute(CATALOGUE_API, described)]
  const access = resources.use(
    openAccess(config.identityProviders ?? [], { db, instance, clock, logger }),
  )
  const api = createApi({ routes, token, ...access.options, origin: 'catalogue', logger })
  // Gateways show their certificates for contracts; everybody else is let in without (protocol/README.md §13.4).
  const asked = { requestCert: true, rejectUnauthorized: false } as const
  const tls = { ...credentials, ...asked, minVersion: 'TLSv1.3' } as const
  const server = limitApiServer(createServer({ ...API_SERVER, ...tls }, api))
  const { port } = resources.use(await listen(server, config.port, host))
  resources.defer(() => publisher.stop())

  const url = config.publicUrl ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  const file = join(stateDir, 'anchor.json')
  const isLasting = config.publicUrl !== undefined
  const later = (): number | undefined => reports.behind()?.anchor
  const roots = { file, rootCertificateFile, isLasting, later, db, clock, logger }
  // Not before the port is known: it stands in the anchor
  const opened = await openAnchorFile({ ...roots, instance, catalogueUrl: url, key })
  anchor = opened
  await witness.list(url, changes)
  const renewTls = createTlsRenewal(server, config, logger)
  const ended = createEndedCertificates(context)
  const checks = [() => opened.refresh(), () => publisher.refresh(), renewTls, ended]
  checks.push(createServiceUpkeep(context))
  const webhooks = {
    key,
    rootCertificateFile,
    toPrivate: config.webhooksToPrivateAddresses ?? false,
  }
  const delivery = createWebhookDelivery({ instance, db, clock, logger, ...webhooks })
  const intervalMs = options.checkIntervalMs ?? CHECK_INTERVAL_MS
  resources.use(delivery)
  checks.push(delivery.run)
  resources.use(startUpkeep(checks, intervalMs, logger))

  const running = resources.move()
  return {
    url,
    port,
    adminToken: token,
    anchorFile: opened.file,
    anchor: () => opened.current(),
    snapshotNumber: () => publisher.current().number,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
