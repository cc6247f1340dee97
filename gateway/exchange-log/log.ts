import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { SpoolError } from '../../runtime/spool.ts'
import type { ExchangeLog } from '../ports.ts'
import type { Classification, KeepingRule } from '../../exchange-log/config.ts'
import type { ContentSealer, MessageContent, UnboundContent } from '../../exchange-log/content.ts'
import { keepingRule } from '../../exchange-log/keeping.ts'
import {
  commitmentOf,
  newSalt,
  recordText,
  type ExchangeEntry,
  type Keeping,
  type LogEntry,
  type LogRecord,
} from '../../exchange-log/record.ts'
import {
  AlreadyRecordedError,
  LogStoreError,
  type ExchangeLogStore,
  type SealedRecord,
} from '../../exchange-log/store.ts'
import { REPLAY_WINDOW_MS } from '../replay/guard.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createLateRefusals } from './late-refusals.ts'

/** Refusals of strangers that are recorded one by one in a minute. */
const STRANGERS_A_MINUTE = 600
const MINUTE_MS = 60_000

/** What is kept of the messages of a service, and how. */
export interface LogPrivacy {
  readonly sealer: ContentSealer
  readonly rules: readonly KeepingRule[]
  /** Of a service, as the catalogue has it. */
  readonly classificationOf: (service: string) => Classification | undefined
}

/** What happens to the log itself is recorded by those who do it. */
export interface GatewayLog extends ExchangeLog {
  /**
   * Records an event; resolves with its position when it is durable.
   *
   * @throws ExchangeError `log.unavailable`.
   */
  recordEvent(entry: LogEntry): Promise<number>
}

/**
 * The log as steps see it: recorded, or refused with the protocol's code. A refusal that the store cannot take, on
 * a full disk say, is recorded as soon as it can.
 */
export function createExchangeLog(
  store: Pick<ExchangeLogStore, 'append' | 'unstage'>,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly privacy: LogPrivacy },
): GatewayLog {
  const { clock, logger, privacy } = deps
  let minute = 0
  let recorded = 0
  let counted = 0

  const refused = (entry: LogEntry, cause: unknown): unknown => {
    if (cause instanceof SpoolError) {
      return new ExchangeError('storage.unavailable', 'a stored body cannot be read', { cause })
    }
    if (cause instanceof AlreadyRecordedError) {
      const detail = `exchange ${entry.exchangeId} was already received`
      return new ExchangeError('manifest.replayed', detail, { cause })
    }
    if (!(cause instanceof LogStoreError)) return cause
    logger.error({ id: entry.exchangeId, err: cause }, 'the exchange log takes no entries')
    return new ExchangeError('log.unavailable', 'the exchange log takes no entries', { cause })
  }
  const write = async (entry: LogEntry, content?: UnboundContent, kept?: Keeping) =>
    appendOnce(store, sealed({ ...entry, recordedAt: clock(), ...(kept ? { kept } : {}) }, content))
  const lateRefusals = createLateRefusals((entry) => write(entry), clock)

  const record = async (entry: LogEntry, message?: MessageContent): Promise<number> => {
    try {
      const kept = message && keepOf(entry, privacy)
      const content = message && kept && (await privacy.sealer.seal(message, kept))
      const position = await write(entry, content, kept)
      void lateRefusals.recordNow()
      return position
    } catch (cause) {
      if (cause instanceof LogStoreError && isRefusal(entry)) lateRefusals.keep(entry)
      throw refused(entry, cause)
    }
  }
  return {
    record,
    recordEvent: (entry) => record(entry),
    recordStranger: async (entry) => {
      const now = Math.floor(entry.at.getTime() / MINUTE_MS)
      if (now !== minute) {
        const before = counted
        minute = now
        recorded = 0
        counted = 0
        if (before > 0) await record(summaryOf(entry, before))
      }
      if (recorded >= STRANGERS_A_MINUTE) {
        counted += 1
        return
      }
      recorded += 1
      await record(entry)
    },
  }
}

const isRefusal = (entry: LogEntry): entry is ExchangeEntry =>
  entry.kind === 'refusal' && entry.side !== undefined

function keepOf({ service }: LogEntry, { rules, classificationOf }: LogPrivacy): Keeping {
  const classification = service === undefined ? undefined : classificationOf(service)
  return keepingRule(rules, service, classification)?.keep ?? 'full'
}

function sealed(record: LogRecord, content: UnboundContent | undefined): SealedRecord {
  const salt = newSalt()
  const commitment = commitmentOf(salt, recordText(record))
  const bound = content ? { content: content.bind(commitment) } : {}
  return { record, salt, commitment, ...bound, ...onceOf(record) }
}

/** What was staged for a record that was refused as a double takes room that others need. */
async function appendOnce(
  store: Pick<ExchangeLogStore, 'append' | 'unstage'>,
  record: SealedRecord,
): Promise<number> {
  try {
    return await store.append(record)
  } catch (error) {
    const { content } = record
    if (error instanceof AlreadyRecordedError && content && 'staged' in content) {
      await store.unstage(content.staged).catch(() => undefined) // swept some day
    }
    throw error
  }
}

/** A request is served once, also when it is presented to several replicas, which share their log. */
function onceOf({ side, kind, recordedAt }: LogRecord): { readonly onceSince?: Date } {
  if (side !== 'provider' || kind !== 'request') return {}
  return { onceSince: new Date(recordedAt.getTime() - REPLAY_WINDOW_MS) }
}

/** Stands for the refusals that were only counted. */
function summaryOf({ side, at, code, origin }: ExchangeEntry, count: number): ExchangeEntry {
  const detail = `${count} more refusals of unknown callers in one minute`
  const known = { ...(code ? { code } : {}), ...(origin ? { origin } : {}) }
  return { exchangeId: crypto.randomUUID(), side, kind: 'refusal', at, detail, ...known }
}
