/** An exchange log on disk with its tree and a stamper, and what they say. */
import { startIntegrator, type LogKey } from '../../exchange-log/integrator.ts'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import type { TimeStampingAuthorityEntry } from '../../gateway/catalogue-view.ts'
import { createAuthorityList } from '../../gateway/time-stamps/authority-list.ts'
import { openLogStamper, type LogStamper } from '../../gateway/time-stamps/log-stamper.ts'
import { nextCheckpoint } from '../../gateway/time-stamps/next-checkpoint.ts'
import { createStampSource, type StampSource } from '../../gateway/time-stamps/stamp-source.ts'
import { createTimeStampClient } from '../../gateway/time-stamps/time-stamp-client.ts'
import { generateKey } from '../../pki/keys.ts'
import { NOTE_TYPE, noteVerifier } from '../../protocol/signed-note.ts'
import { createLogger } from '../../runtime/logger.ts'
import { append, requestEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import { shiftedClock, type ShiftedClock } from '../support/clock.ts'
import type { TimeStampingServer } from '../support/time-stamping-server.ts'

export const GATEWAY_ID = 'KH-TEST/GOV/REG/REG-1'

export const ORIGIN = 'spean/KH-TEST/GOV/REG/REG-1/log'

export interface StampedLog extends AsyncDisposable {
  readonly folder: string
  readonly clock: ShiftedClock
  readonly stores: LogStores
  readonly stamps: LogStores['stamps']
  readonly source: StampSource
  readonly stamper: LogStamper
  /** Lines of the gateway's own log. */
  readonly lines: Record<string, unknown>[]
  /** What the snapshot approves; changed by assigning. */
  approved: readonly TimeStampingAuthorityEntry[] | undefined
  /** Records so many entries, each with a manifest, and brings them into the tree. */
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
  { backOffMs = 20, ...changes }: Partial<Settings> & { readonly backOffMs?: number } = {},
): Promise<StampedLog> {
  const folder = temporaryFolder()
  const clock = shiftedClock()
  const lines: Record<string, unknown>[] = []
  const logger = createLogger('test', 'info')
  for (const level of ['info', 'warn', 'error'] as const) {
    logger[level] = (line: object, text?: string) => lines.push({ level, text, ...line })
  }
  await using resources = new AsyncDisposableStack()
  const stores = resources.use(await openLogStores({ stateDir: folder, maxBytes: 1_000_000_000 }))
  const { records: log, tree, stamps } = stores
  const key = await logKey()
  const integrator = resources.use(
    startIntegrator({ records: log, tree, key, clock: clock.now, logger, intervalMs: 3_600_000 }),
  )
  const state = { approved }
  const settings = { ...SETTINGS, ...changes }
  const authorities = createAuthorityList({
    gatewayId: GATEWAY_ID,
    approved: () => state.approved,
    names: settings.authorities,
    clock: clock.now,
    backOffMs,
  })
  const client = createTimeStampClient({ clock: clock.now })
  const onStamp = (): void => {}
  const source = createStampSource({ gatewayId: GATEWAY_ID, authorities, client, onStamp })
  const stamper = resources.use(
    openLogStamper({
      ...{ gatewayId: GATEWAY_ID, log, stamps, source, client, settings, clock: clock.now, logger },
      checkpoint: () => nextCheckpoint(tree, clock.now),
    }),
  )
  await stamper.stampNow()
  const owned = resources.move()
  let count = 0
  return {
    folder,
    clock,
    stores,
    stamps,
    source,
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
      await integrator.integrateNow()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Settings {
  readonly intervalSeconds: number
  readonly limitMinutes: number
  readonly refuseAtLimit: boolean
  readonly authorities: readonly string[]
}
const SETTINGS: Settings = {
  intervalSeconds: 3600,
  limitMinutes: 240,
  refuseAtLimit: false,
  authorities: [],
}

async function logKey(): Promise<LogKey> {
  const { privateKey } = await generateKey('Ed25519')
  return { privateKey, verifier: noteVerifier(ORIGIN, privateKey, NOTE_TYPE.ed25519) }
}
