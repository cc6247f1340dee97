/** An exchange log on disk with a stamper, and what both say. */
import { join } from 'node:path'
import type { TimeStampingAuthorityEntry } from '../../gateway/catalogue-view.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import {
  openLogStamper,
  type LogStamper,
  type LogStamperOptions,
} from '../../gateway/time-stamps/log-stamper.ts'
import type { StampStore } from '../../exchange-log/stamp-store.ts'
import { openSqliteStampStore } from '../../exchange-log/stamp-store-sqlite.ts'
import { createTimeStampClient } from '../../gateway/time-stamps/time-stamp-client.ts'
import { createLogger } from '../../runtime/logger.ts'
import { requestEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import { shiftedClock, type ShiftedClock } from '../support/clock.ts'
import type { TimeStampingServer } from '../support/time-stamping-server.ts'

export const GATEWAY_ID = 'KH-TEST/GOV/REG/REG-1'

export interface StampedLog extends AsyncDisposable {
  readonly folder: string
  readonly clock: ShiftedClock
  readonly log: ExchangeLogStore
  readonly stamps: StampStore
  readonly stamper: LogStamper
  /** Lines of the gateway's own log. */
  readonly lines: Record<string, unknown>[]
  /** What the snapshot approves; changed by assigning. */
  approved: readonly TimeStampingAuthorityEntry[] | undefined
  /** Records so many entries, each with a manifest. */
  append(count: number): Promise<void>
}

export function approvedOf(
  name: string,
  { url, tsa }: Pick<TimeStampingServer, 'url' | 'tsa'>,
): TimeStampingAuthorityEntry {
  return { name, url, certificates: [tsa.certificate] }
}

export async function openStampedLog(
  approved: StampedLog['approved'],
  changes: Partial<LogStamperOptions> = {},
): Promise<StampedLog> {
  const folder = temporaryFolder()
  const clock = shiftedClock()
  const lines: Record<string, unknown>[] = []
  const logger = createLogger('test', 'info')
  for (const level of ['info', 'warn', 'error'] as const) {
    logger[level] = (line: object, text?: string) => lines.push({ level, text, ...line })
  }
  await using resources = new AsyncDisposableStack()
  const log = resources.use(
    await openSqliteLogStore(join(folder, 'log.db'), { maxBytes: 1_000_000_000 }),
  )
  const stamps = resources.use(openSqliteStampStore(join(folder, 'stamps.db')))
  const state = { approved }
  const stamper = resources.use(
    openLogStamper({
      gatewayId: GATEWAY_ID,
      log,
      stamps,
      client: createTimeStampClient({ clock: clock.now }),
      approved: () => state.approved,
      settings: { intervalSeconds: 3600, limitMinutes: 240, authorities: [] },
      clock: clock.now,
      logger,
      backOffMs: 20,
      ...changes,
    }),
  )
  await stamper.stampNow()
  const owned = resources.move()
  let count = 0
  return {
    folder,
    clock,
    log,
    stamps,
    stamper,
    lines,
    get approved() {
      return state.approved
    },
    set approved(list) {
      state.approved = list
    },
    append: async (more) => {
      const at = clock.now()
      const entries = Array.from({ length: more }, () =>
        requestEntry(`x-${(count += 1)}`, { at, manifest: `manifest-${count}` }),
      )
      await Promise.all(entries.map((entry) => append(log, entry)))
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
