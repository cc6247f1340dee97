import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { API_SERVER, createApi, limitApiServer, type Route } from '../../runtime/admin-api.ts'
import { systemClock, type Clock } from '../../runtime/clock.ts'
import { ConfigError } from '../../runtime/config.ts'
import { parseDuration } from '../../runtime/duration.ts'
import { listen } from '../../runtime/lifecycle.ts'
import type { Logger } from '../../runtime/logger.ts'
import { ensureToken } from '../../runtime/private-file.ts'
import { readPassphrase } from '../keys.ts'
import { openAuthority, type Authority } from './authority.ts'
import type { AuthorityConfig } from './config.ts'
import { EST_CHALLENGE } from './est-routes.ts'
import { createAuthorityRoutes } from './routes.ts'
import { openServerCertificate } from './server-certificate.ts'
import { noteUnreadable } from './unreadable-requests.ts'
import { startUpkeep } from './upkeep.ts'

export interface RunningAuthority extends AsyncDisposable {
  readonly authority: Authority
  /** Base of the public routes, without a slash at the end. */
  readonly publicUrl: string
  /** Base of the administration, whose certificate the root above vouches for. */
  readonly adminUrl: string
  /** Base of enrolment: `/.well-known/est` stands below it. */
  readonly estUrl: string
  readonly adminToken: string
}

export interface AuthorityDeps {
  readonly logger: Logger
  readonly clock?: Clock
  /** How often it looks what is due: certificates of its ports, revocation lists. */
  readonly renewalCheckMs?: number
}

/** A certificate of the ports is renewed at a third of its life: so often is often enough, however short it is. */
const checkMs = (lifetimeMs: number): number => Math.min(60_000, lifetimeMs / 10)

/**
 * Opens the authority and serves its three ports until disposed.
 *
 * @param config with `stateDir` and `keyPassphraseFile` resolved.
 * @throws ConfigError
 */
export async function startAuthority(
  config: AuthorityConfig,
  deps: AuthorityDeps,
): Promise<RunningAuthority> {
  const { host, stateDir } = config
  if (config.publicUrl === undefined && isEveryInterface(host)) {
    throw new ConfigError(
      `publicUrl: is needed: the name under which gateways reach this authority, as in http://pki.example.gov:5580; ${host} is no address to call, and would stand in every certificate`,
    )
  }
  const { logger, clock = systemClock } = deps

  // Bound first, because its address stands in the first certificates; it says so until all is there.
  let publicApi: RequestListener = notReady
  await using binding = new AsyncDisposableStack()
  const publicServer = createHttpServer(API_SERVER, (request, response) =>
    publicApi(request, response),
  )
  const { port } = binding.use(await listen(limitApiServer(publicServer), config.publicPort, host))
  const publicUrl = config.publicUrl ?? `http://${urlHost(host)}:${port}`
  const reached = isEveryInterface(host) ? new URL(publicUrl).hostname : urlHost(host)
  let estUrl = config.estUrl ?? ''

  // Disposed in reverse order: connections drain before the store closes under them.
  await using resources = new AsyncDisposableStack()
  const authority = resources.use(
    await openAuthority({
      ...optionsOf(config),
      publicUrl: () => publicUrl,
      estUrl: () => estUrl,
      clock,
      logger,
    }),
  )
  resources.use(binding.move())
  const adminToken = ensureToken(join(stateDir, 'admin.token'))
  const { publicRoutes, adminRoutes, estRoutes } = createAuthorityRoutes({ authority })
  const api = (subject: string, routes: readonly Route[]): RequestListener =>
    createApi({
      token: adminToken,
      origin: 'authority',
      logger,
      routes,
      ...(subject === 'enrolment' ? { challenge: EST_CHALLENGE } : {}),
      onRefusal: ({ code, detail, method, path, remoteAddress, bytes }) =>
        authority.journal.refused({
          subject,
          code,
          detail: `${method} ${path}: ${detail}`,
          remoteAddress,
          ...(bytes === undefined ? {} : { bytes }),
        }),
    })
  publicApi = api('public', publicRoutes)

  const tls = await openServerCertificate({ authority, stateDir, host, urls: [publicUrl, estUrl] })
  noteUnreadable(publicServer, 'public', authority.journal)
  const adminServer = createHttpsServer(
    { ...API_SERVER, ...tls.options() },
    api('administration', adminRoutes),
  )
  const admin = resources.use(await listen(limitApiServer(adminServer), config.adminPort, host))
  // RFC 7030 §3.3: who renews shows a certificate, who enrols has none; the routes judge what is shown.
  const estTls = { requestCert: true, rejectUnauthorized: false, ca: authority.chain }
  const estServer = createHttpsServer(
    { ...API_SERVER, ...tls.options(), ...estTls },
    api('enrolment', estRoutes),
  )
  noteUnreadable(adminServer, 'administration', authority.journal)
  noteUnreadable(estServer, 'enrolment', authority.journal)
  const est = resources.use(await listen(limitApiServer(estServer), config.estPort, host))
  if (estUrl === '') estUrl = `https://${reached}:${est.port}`

  const renewTls = async (): Promise<void> => {
    if (!(await tls.isRenewed())) return
    adminServer.setSecureContext(tls.options())
    estServer.setSecureContext({ ...tls.options(), ca: authority.chain })
  }
  const checks = { authority, logger, renewTls, clock }
  resources.use(
    startUpkeep(checks, deps.renewalCheckMs ?? checkMs(parseDuration(config.lifetimes.server))),
  )

  const owned = resources.move()
  return {
    authority,
    publicUrl,
    adminUrl: `https://${reached}:${admin.port}`,
    estUrl,
    adminToken,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function optionsOf(config: AuthorityConfig) {
  const { instance, stateDir, keyKind, lifetimes, keys } = config
  return {
    instance,
    stateDir,
    keyKind,
    passphrase: readPassphrase({
      ...(config.keyPassphraseFile === undefined ? {} : { file: config.keyPassphraseFile }),
      env: 'SPEAN_AUTHORITY_PASSPHRASE',
    }),
    ...(keys === undefined ? {} : { keys }),
    lifetimes: {
      authentication: parseDuration(lifetimes.authentication),
      signing: parseDuration(lifetimes.signing),
      'information-system': parseDuration(lifetimes.informationSystem),
      server: parseDuration(lifetimes.server),
    },
    ocspValidityMs: config.ocspValidityMinutes * 60_000,
    crlValidityMs: config.crlHours * 3_600_000,
    crlIntervalMs: config.crlIntervalMinutes * 60_000,
    needsApproval: config.approval,
    timeStamping: config.timeStamping,
  }
}

const notReady: RequestListener = (_request, response) => {
  response.writeHead(503, { 'retry-after': '1' }).end()
}

/** Addresses that mean all of them. */
const isEveryInterface = (host: string): boolean => host === '0.0.0.0' || host === '::'

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
