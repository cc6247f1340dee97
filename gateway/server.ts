/** Puts a gateway together: the file that knows every implementation. `main.ts` runs it. */
import { readGatewayId } from '../protocol/identifiers.ts'
import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { readPassphrase } from '../pki/keys.ts'
import { readAnchor } from '../runtime/anchor.ts'
import { API_SERVER, createApi, limitApiServer, type Route } from '../runtime/admin-api.ts'
import { systemClock, type Clock } from '../runtime/clock.ts'
import { listen } from '../runtime/lifecycle.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { ensureToken } from '../runtime/private-file.ts'
import { createSpool } from '../runtime/spool.ts'
import { createServer } from 'node:https'
import { openSettings } from './access/settings.ts'
import { createBodies } from './bodies.ts'
import { namedIdentity } from './catalogue/named-identity.ts'
import { openSnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { readConfigured } from './credentials/configured.ts'
import { createCredentials } from './credentials/credentials.ts'
import { openCredentialStore } from './credentials/store.ts'
import { createServerTls, toTls } from './credentials/tls.ts'
import { createExchangeLog } from './exchange-log/log.ts'
import { openSqliteLogStore } from './exchange-log/store-sqlite.ts'
import { createSettingsRoutes } from './http/admin-routes.ts'
import { createClientServer } from './http/client-server.ts'
import { createLogRoutes } from './http/log-routes.ts'
import { createMetricsRoutes } from './http/metrics-routes.ts'
import { createPeerServer } from './http/peer-server.ts'
import { createStampRoutes } from './http/stamp-routes.ts'
import { createFaultTeller, type OwnCertificate } from './own-certificates.ts'
import { createHandover } from './peers/handover.ts'
import { createPeers } from './peers/peers.ts'
import type { ClientGateway, ProviderGateway } from './ports.ts'
import { startCredentialUpkeep } from './renewal/upkeep.ts'
import { createReplayGuard, REPLAY_WINDOW_MS } from './replay/guard.ts'
import { createHttpServices } from './services/http-service.ts'
import { createServices } from './services/services.ts'
import { createSigner } from './signer.ts'
import { gatewayStatus } from './status.ts'
import { createStepRunner } from './step-runner.ts'
import { openLogStamper } from './time-stamps/log-stamper.ts'
import { openSqliteStampStore } from './time-stamps/stamp-store-sqlite.ts'
import { createTimeStampClient } from './time-stamps/time-stamp-client.ts'
import { createCertificateStates } from './trust/certificate-states.ts'
import { createClockCheck } from './trust/clock-check.ts'
import { openOcspCache } from './trust/ocsp-cache.ts'
import { createTrust } from './trust/trust.ts'

export interface RunningGateway extends AsyncDisposable {
  /** Ports in use; 0 for one that is closed. */
  readonly ports: { http: number; https: number; peers: number; admin: number }
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
  await using resources = new AsyncDisposableStack()
  const { stateDir, timeouts, connections } = config
  const id = readGatewayId(config.gatewayId)
  const anchor = readAnchor(config.anchorFile)
  const { keyPassphraseFile: file } = config
  const env = 'SPEAN_GATEWAY_PASSPHRASE'
  const passphrase = readPassphrase({ env, ...(file === undefined ? {} : { file }) })
  // Of its own: keys are opened as long as the gateway runs.
  const keyOptions = { passphrase, scope: resources.use(new AsyncDisposableStack()) }
  const configured = await readConfigured(config, keyOptions)
  if (
    configured.some(
      ({ kind, certificate }) =>
        kind === 'authentication' && certificate.subjectAltNames.length === 0,
    )
  ) {
    logger.warn(
      'authentication.certificateFile names no host: clients of the HTTPS ports will refuse it',
    )
  }
  const credentialStore = await openCredentialStore({
    dir: `${stateDir}/credentials`,
    configured,
    ...keyOptions,
    logger,
  })

  const store = resources.use(
    await openSqliteLogStore(`${stateDir}/exchange-log.db`, {
      maxBytes: config.exchangeLogMaxBytes,
    }),
  )
  const settings = resources.use(openSettings(`${stateDir}/settings.db`))
  const ocsp = resources.use(
    openOcspCache({
      dir: `${stateDir}/ocsp`,
      gateway: config.gatewayId,
      refreshSeconds: config.ocspRefreshSeconds,
      outageMinutes: config.ocspOutageMinutes,
      clock,
      logger,
    }),
  )
  const clockCheck = createClockCheck({ gateway: config.gatewayId, clock, logger })
  const catalogue = resources.use(
    await openSnapshotClient({
      anchor,
      dir: `${stateDir}/catalogue`,
      pollSeconds: config.catalogueWaitSeconds,
      clock,
      logger,
      onTime: (told) => clockCheck.hear(told),
    }),
  )
  const trust = createTrust({ snapshot: () => catalogue.newest, ocsp, clock })
  const stamps = resources.use(openSqliteStampStore(`${stateDir}/time-stamps.db`))
  const stamper = resources.use(
    openLogStamper({
      gatewayId: config.gatewayId,
      log: store,
      stamps,
      client: createTimeStampClient({ clock }),
      approved: () => catalogue.newest?.timeStampingAuthorities,
      settings: config.timeStamping,
      clock,
      logger,
    }),
  )
  catalogue.subscribe(() => void stamper.stampNow())
  const known = {
    gateway: config.gatewayId,
    revocation: (thumbprint: string) => ocsp.revocation(thumbprint),
    clockWords: () => clockCheck.words(),
  }
  const credentials = createCredentials({ known, store: credentialStore, clock })
  const ownCertificates = (): Certificate[] =>
    credentialStore
      .all()
      .map(({ certificate }) => certificate)
      .filter(({ notAfter }) => notAfter > clock())
  catalogue.subscribe((snapshot) => {
    trust.follow(ownCertificates())
    credentials.noteSnapshot(snapshot)
  })
  const owned = (): OwnCertificate[] =>
    credentialStore
      .all()
      .map(({ kind, owner, certificate }) => ({ certificate, purpose: kind, owner }))
  const tellFaults = createFaultTeller(logger)
  catalogue.subscribe((snapshot) => tellFaults(owned(), snapshot, clock()))
  const states = createCertificateStates({ ocsp, trust, certificates: ownCertificates, logger })
  const tls = resources.use(createServerTls({ credentials, clock, logger }))

  const metrics = createMetrics('spean_gateway_')
  const upkeep = resources.use(
    startCredentialUpkeep({
      config,
      anchor,
      store: credentialStore,
      credentials,
      catalogue,
      onInstalled: () => trust.follow(ownCertificates()),
      metrics,
      clock,
      logger,
    }),
  )

  const spool = createSpool({
    dir: `${stateDir}/spool`,
    memoryBytes: config.bodyMemoryBytes,
    maxStoredBytes: config.spoolMaxBytes,
  })
  const bodies = createBodies(spool, {
    maxBytes: config.maxBodyBytes,
    idleMs: timeouts.idleMs,
    totalMs: timeouts.requestMs,
  })
  const outgoing = {
    own: () => toTls(credentials.shown(clock())),
    trust,
    clock,
    connections,
    connectMs: timeouts.connectMs,
    idleMs: timeouts.idleMs,
  }
  const handover = createHandover({
    own: () => states.own(),
    take: (given, from) => states.take(given, from, catalogue.current(clock())),
    refreshSeconds: config.ocspRefreshSeconds,
    clock,
    logger,
  })
  const peers = resources.use(
    createPeers({
      ...outgoing,
      answerMs: timeouts.providerMs,
      takeStapled: (certificate, answer) => states.takeStapled(certificate, answer),
      handover,
    }),
  )
  const http = resources.use(
    createHttpServices({ ...outgoing, answerMs: timeouts.serviceMs, receive: bodies.ofService }),
  )
  const recent = await store.servedSince(new Date(clock().getTime() - REPLAY_WINDOW_MS))
  const gw: ClientGateway & ProviderGateway = {
    id,
    clock,
    clockCheck,
    catalogue,
    trust,
    bodies,
    signer: createSigner(credentials),
    authentication: credentials,
    log: createExchangeLog(store, logger),
    begin: (incoming) => createStepRunner(incoming, logger),
    informationSystems: settings,
    peers,
    replayGuard: createReplayGuard(recent, clock()),
    accessRules: settings,
    services: createServices({
      settings,
      http,
      description: (digest) => catalogue.description(digest),
    }),
  }

  const { host, httpPort, httpsPort } = config.informationSystems
  const port = { gw, logger, maxConnections: config.maxConnections, ...timeouts }
  const ports = { http: 0, https: 0, peers: 0, admin: 0 }
  if (httpPort !== 0) {
    logger.warn({ httpPort }, 'informationSystems.httpPort believes X-Road-Client; set it to 0')
    const server = createClientServer(port)
    ports.http = resources.use(await listen(server, httpPort, host)).port
  }
  if (httpsPort !== 0) {
    const server = createClientServer({ ...port, tls })
    ports.https = resources.use(await listen(server, httpsPort, host)).port
  }
  const staple = (der: Buffer): Buffer | undefined =>
    ocsp.answer(parseCertificate(der).thumbprint)?.der
  const peerServer = createPeerServer({ ...port, tls, states, staple })
  ports.peers = resources.use(await listen(peerServer, config.peers.port, config.peers.host)).port
  const adminToken = ensureToken(`${stateDir}/admin.token`)
  const status = (): object =>
    gatewayStatus({
      config,
      catalogue,
      ocsp,
      stamper,
      clockCheck,
      credentials,
      owned,
      upkeep,
      clock,
    })
  const routes = [
    ...createSettingsRoutes({
      settings,
      clock,
      instance: id.instance,
      speaksFor: (subsystem) => catalogue.newest?.gateway(config.gatewayId)?.clients.has(subsystem),
      identityOf: (certificate) => {
        const snapshot = catalogue.newest
        const named = snapshot && namedIdentity(certificate, snapshot, clock())
        return named ? named.identity : certificate.identity
      },
      status,
    }),
    ...createLogRoutes(store),
    ...createStampRoutes({ gatewayId: config.gatewayId, stamps, log: store }),
    ...createMetricsRoutes(metrics),
  ]
  const api = createApi({ routes, token: adminToken, origin: 'client-gateway', logger })
  const versions = { minVersion: 'TLSv1.2' } as const
  const { cert, key } = tls.current
  const adminServer = createServer({ ...API_SERVER, cert, key, ...versions }, api)
  tls.follow(adminServer, versions)
  limitApiServer(adminServer)
  ports.admin = resources.use(await listen(adminServer, config.admin.port, config.admin.host)).port

  const open = resources.move()
  return { ports, adminToken, routes, [Symbol.asyncDispose]: () => open.disposeAsync() }
}
