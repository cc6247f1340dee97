/** Where a gateway's log goes when it is old, and how it is read there. */
import { join } from 'node:path'
import { ArchiveError } from '../exchange-log/archive/archive-errors.ts'
import { folderPlace, type ArchivePlace } from '../exchange-log/archive/archive-place.ts'
import { reachArchives, type ReachableRecords } from '../exchange-log/archive/archived-records.ts'
import { s3Place } from '../exchange-log/archive/s3-place.ts'
import type { LogArchiveConfig } from '../exchange-log/config.ts'
import type { ExchangeLogStore } from '../exchange-log/store.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { ConfigError } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'

export interface LogArchive {
  /** Undefined where none is configured: nothing leaves the log then. */
  readonly place: ArchivePlace | undefined
  /** The log with what left it. What it throws for an archive is an ExchangeError. */
  readonly reachable: ReachableRecords
}

/** @param deps.folder where the log's own files are. @throws ConfigError when archives cannot be put there. */
export function openLogArchive(
  { exchangeLog }: GatewayConfig,
  deps: {
    readonly records: ExchangeLogStore
    readonly folder: string
    readonly scope: AsyncDisposableStack
    readonly logger: Logger
  },
): LogArchive {
  const { records, folder, scope, logger } = deps
  const { archive } = exchangeLog
  if (archive === undefined) return { place: undefined, reachable: records }
  const place = openPlace(archive, join(folder, 'archiving'), scope)
  const reached = scope.use(reachArchives(records, place))
  const said = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } catch (cause) {
      if (!(cause instanceof ArchiveError)) throw cause
      logger.error({ err: cause }, 'an archive of the exchange log cannot be read')
      const code = cause.code === 'archive.altered' ? 'evidence.altered' : 'log.unavailable'
      throw new ExchangeError(code, cause.message, { cause })
    }
  }
  const reachable: ReachableRecords = {
    entries: (exchangeId) => said(reached.entries(exchangeId)),
    after: (position, limit) => said(reached.after(position, limit)),
    wrappedKey: (position) => reached.wrappedKey(position),
    contentPart: (position, part) => said(reached.contentPart(position, part)),
  }
  return { place, reachable }
}

function openPlace(
  { folder, s3 }: LogArchiveConfig,
  workFolder: string,
  scope: AsyncDisposableStack,
): ArchivePlace {
  try {
    if (s3 !== undefined) return scope.use(s3Place(s3, { workFolder }))
    if (folder !== undefined) return folderPlace(folder)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    const where = s3 === undefined ? folder : workFolder
    throw new ConfigError(`${where}: archives cannot be put there (${code})`, { cause })
  }
  throw new ConfigError('exchangeLog.archive: give either folder or s3')
}
