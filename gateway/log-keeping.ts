/** Keeps the exchange log within its room: watches it, and archives what is old. */
import type { ArchivePlace } from '../exchange-log/archive/archive-place.ts'
import {
  startArchiveSchedule,
  type ArchiveHealth,
  type ArchiveSchedule,
} from '../exchange-log/archive/archive-schedule.ts'
import type { LogStores } from '../exchange-log/open-log.ts'
import { startSpaceWatch, type LogSpace } from '../exchange-log/space-watch.ts'
import type { NoteVerifier } from '../protocol/signed-note.ts'
import type { Route } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'
import type { GatewayLog } from './exchange-log/log.ts'
import { createArchiveRoutes } from './http/archive-routes.ts'

export interface LogKeeping {
  health(): { readonly space: LogSpace | undefined; readonly archive: ArchiveHealth | undefined }
  readonly routes: readonly Route[]
}

/**
 * @param deps.folder where the log's own files are.
 * @param deps.place where archives go; undefined: nothing is archived.
 */
export function openLogKeeping(
  config: GatewayConfig,
  deps: {
    readonly stores: LogStores
    readonly log: Pick<GatewayLog, 'recordEvent'>
    readonly logKey: NoteVerifier
    readonly folder: string
    readonly place: ArchivePlace | undefined
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): LogKeeping {
  const { stores, scope, clock, logger, folder } = deps
  const { maxBytes, warnFreeBytes, postgresUrlFile } = config.exchangeLog
  const space = scope.use(
    startSpaceWatch({
      ...{ records: stores.records, maxBytes, warnFreeBytes, clock, logger },
      folder: postgresUrlFile === undefined ? folder : undefined,
    }),
  )
  const archive = openArchive(config, deps)
  return {
    health: () => ({ space: space.health(), archive: archive?.health() }),
    routes: createArchiveRoutes(stores, archive),
  }
}

function openArchive(
  { exchangeLog }: GatewayConfig,
  deps: Parameters<typeof openLogKeeping>[1],
): ArchiveSchedule | undefined {
  const { stores, log, logKey, place, scope, clock, logger } = deps
  if (place === undefined) return undefined
  return scope.use(
    startArchiveSchedule({
      archiver: {
        ...{ stores, logKey, clock, place },
        record: (event) => log.recordEvent(event),
      },
      afterDays: exchangeLog.archive?.afterDays,
      logger,
    }),
  )
}
