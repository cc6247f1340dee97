import type { RedisOptions } from 'ioredis'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { readPrivateFile } from '../../runtime/private-file.ts'
import { readPem, type RedisConfig } from '../config.ts'
import type { Quotas } from '../ports.ts'
import type { QuotaPeek } from './exhausted.ts'
import { openLocalQuotas } from './local-quotas.ts'
import { openSharedQuotas } from './quotas-redis.ts'

export interface OpenQuotas {
  readonly quotas: Quotas & QuotaPeek
  /** Whether the shared count is out of reach; undefined when nothing is shared. */
  readonly isAway: () => boolean | undefined
}

/**
 * Opens the quotas of a gateway: in its own memory and file, or shared by its replicas.
 *
 * @throws ConfigError when a file cannot be read. That Redis is away stops no gateway.
 */
export async function openQuotas(
  { stateDir, redis }: { readonly stateDir: string; readonly redis?: RedisConfig },
  deps: {
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<OpenQuotas> {
  if (redis === undefined) {
    const quotas = deps.scope.use(openLocalQuotas(`${stateDir}/quotas.db`, deps))
    return { quotas, isAway: () => undefined }
  }
  const { replicas } = redis
  const shared = await openSharedQuotas({ ...deps, replicas, redis: connectionOf(redis) })
  deps.scope.use(shared)
  return { quotas: shared, isAway: () => shared.awaySince !== undefined }
}

/** Exported for tests. @throws ConfigError */
export function connectionOf({ url, user, passwordFile, tls }: RedisConfig): RedisOptions {
  const { protocol, hostname, port, pathname } = new URL(url)
  const isTls = protocol === 'rediss:'
  const ca = tls?.caFile === undefined ? {} : { ca: readPem(tls.caFile) }
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 6379),
    db: Number(pathname.slice(1) || 0),
    ...(user === undefined ? {} : { username: user }),
    ...(passwordFile === undefined ? {} : { password: readPrivateFile(passwordFile).trim() }),
    ...(isTls ? { tls: { servername: hostname, minVersion: 'TLSv1.2', ...ca } } : {}),
  }
}
