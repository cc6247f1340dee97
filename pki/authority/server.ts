import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { API_SERVER, createApi, limitApiServer } from '../../runtime/admin-api.ts'
import { systemClock, type Clock } from '../../runtime/clock.ts'
import { listen } from '../../runtime/lifecycle.ts'
import type { Logger } from '../../runtime/logger.ts'
import { readPrivateFile, writePrivateFile } from '../../runtime/private-file.ts'
import { ensureKeyFile } from '../keys.ts'
import { isAltName } from '../subject-alt-name.ts'
import { openAuthority, type Authority } from './authority.ts'
import type { AuthorityConfig } from './config.ts'
import { createRenewedCertificate } from './renewed-certificate.ts'
import { createAuthorityRoutes } from './routes.ts'

export interface RunningAuthority extends AsyncDisposable {
  readonly authority: Authority
  /** Base of the public routes, without a slash at the end. */
  readonly publicUrl: string
  /** Base of the administration, whose certificate the root above vouches for. */
  readonly adminUrl: string
  readonly adminToken: string
}

const RENEWAL_CHECK_MS = 60 * 60_000
const DAY_MS = 24 * 60 * 60_000

/**
 * Opens the authority and serves both of its ports until disposed.
 *
 * @param config with `stateDir` resolved.
 * @throws ConfigError
 */
export async function startAuthority(
  config: AuthorityConfig,
  deps: {
    readonly logger: Logger
    readonly clock?: Clock
    /** How often the certificate of the HTTPS port is looked at. */
    readonly renewalCheckMs?: number
  },
): Promise<RunningAuthority> {
  const { host, stateDir } = config
  const { logger, clock = systemClock } = deps
  let publicUrl = config.publicUrl ?? ''

  // Disposed in reverse order: connections drain before the store closes under them.
  await using resources = new AsyncDisposableStack()
  const authority = resources.use(
    await openAuthority({
      instance: config.instance,
      stateDir,
      publicUrl: () => publicUrl,
      clock,
      keyKind: config.keyKind,
      leafValidityDays: config.leafValidityDays,
      ocspValidityMs: config.ocspValidityMinutes * 60_000,
    }),
  )
  const lifeLeftMs = authority.issuing.notAfter.getTime() - clock().getTime()
  if (lifeLeftMs < config.leafValidityDays * DAY_MS) {
    logger.warn(
      { notAfter: authority.issuing.notAfter },
      'issuing authority ends before its leaves',
    )
  }
  const adminToken = ensureToken(join(stateDir, 'admin.token'))
  const { publicRoutes, adminRoutes } = createAuthorityRoutes({ authority })
  const api = { token: adminToken, origin: 'authority', logger } as const
  const publicApi = createApi({ ...api, routes: publicRoutes })
  const publicServer = limitApiServer(createHttpServer(API_SERVER, publicApi))
  const { port: publicPort } = resources.use(await listen(publicServer, config.publicPort, host))
  if (publicUrl === '') publicUrl = `http://${urlHost(host)}:${publicPort}`

  const tls = await openTls({ authority, stateDir, clock, config, publicUrl })
  const adminApi = createApi({ ...api, routes: adminRoutes })
  const adminServer = limitApiServer(
    createHttpsServer({ ...API_SERVER, ...tls.options() }, adminApi),
  )
  const { port: adminPort } = resources.use(await listen(adminServer, config.adminPort, host))
  const check = setInterval(() => {
    tls.isRenewed().then(
      (isRenewed) => isRenewed && adminServer.setSecureContext(tls.options()),
      (error: unknown) =>
        logger.error({ err: error }, 'certificate of the admin port cannot be renewed'),
    )
  }, deps.renewalCheckMs ?? RENEWAL_CHECK_MS)
  check.unref()
  resources.defer(() => clearInterval(check))

  const owned = resources.move()
  return {
    authority,
    publicUrl,
    adminUrl: `https://${urlHost(host)}:${adminPort}`,
    adminToken,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function openTls(deps: {
  readonly authority: Authority
  readonly stateDir: string
  readonly clock: Clock
  readonly config: AuthorityConfig
  readonly publicUrl: string
}) {
  const { authority, stateDir, clock, config } = deps
  const { privateKey, publicKey } = await ensureKeyFile(join(stateDir, 'admin.key'), config.keyKind)
  const names = serverNames(config.host, deps.publicUrl)
  const current = createRenewedCertificate({
    file: join(stateDir, 'admin.pem'),
    isFitting: (certificate) =>
      certificate.publicKey.equals(publicKey) &&
      certificate.issuerDer.equals(authority.issuing.subjectDer) &&
      names.every((name) => certificate.subjectAltNames.includes(name)),
    issue: () => authority.issueServer(publicKey, names),
  })
  let served = await current(clock())
  return {
    isRenewed: async (): Promise<boolean> => served !== (served = await current(clock())),
    options: () => ({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: served.pem + authority.issuing.pem,
      minVersion: 'TLSv1.3' as const,
    }),
  }
}

/** Names a client may know this program by; an address that means "all of them" is none. */
function serverNames(host: string, publicUrl: string): string[] {
  const names = ['localhost', '127.0.0.1', host, new URL(publicUrl).hostname.replace(/[[\]]/g, '')]
  return [...new Set(names)].filter((name) => isAltName(name) && !/^(0\.0\.0\.0|::)$/.test(name))
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

const TOKEN_BYTES = 32

function ensureToken(file: string): string {
  if (!existsSync(file))
    writePrivateFile(file, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`)
  return readPrivateFile(file).trim()
}
