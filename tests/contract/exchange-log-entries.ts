import type { ErrorCode } from '../../protocol/errors.ts'
import {
  commitmentOf,
  newSalt,
  recordText,
  type ExchangeEntry,
  type LogRecord,
  type StoredRecord,
} from '../../exchange-log/record.ts'
import type { ExchangeLogStore, LogQuery, SealedRecord } from '../../exchange-log/store.ts'

export const minute = (minutes: number): Date => new Date(Date.UTC(2026, 0, 1, 8, minutes))

const BASE = { side: 'client', at: minute(0) } as const

export function requestEntry(exchangeId: string, more: Partial<ExchangeEntry> = {}): ExchangeEntry {
  return {
    ...BASE,
    exchangeId,
    kind: 'request',
    client: 'KH/COM/BANK/KYC',
    service: 'KH/GOV/REG/POP/echo',
    ...more,
  }
}

export function responseEntry(
  exchangeId: string,
  begunAt: number,
  more: Partial<ExchangeEntry> = {},
): ExchangeEntry {
  return { ...BASE, exchangeId, begunAt, kind: 'response', status: 200, ...more }
}

export function refusalEntry(
  exchangeId: string,
  code: ErrorCode,
  more: Partial<ExchangeEntry> = {},
): ExchangeEntry {
  return {
    ...BASE,
    exchangeId,
    kind: 'refusal',
    status: 403,
    code,
    origin: 'client-gateway',
    detail: 'refused',
    ...more,
  }
}

/** The record of an entry, without content. */
export function sealed(entry: Omit<LogRecord, 'recordedAt'>): SealedRecord {
  return sealRecord({ ...entry, recordedAt: entry.at })
}

export function sealRecord(record: LogRecord): SealedRecord {
  const salt = newSalt()
  return { record, salt, commitment: commitmentOf(salt, recordText(record)) }
}

/** What was committed to. */
export function toPlain(stored: StoredRecord): LogRecord {
  const added: (keyof StoredRecord)[] = ['position', 'salt', 'commitment']
  const entries = Object.entries(stored).filter(([name]) => !(added as string[]).includes(name))
  return Object.fromEntries(entries) as unknown as LogRecord
}

export function append(
  store: Pick<ExchangeLogStore, 'append'>,
  entry: Omit<LogRecord, 'recordedAt'>,
): Promise<number> {
  return store.append(sealed(entry))
}

/** A request and how it ended, at one side. */
export async function appendRun(
  store: ExchangeLogStore,
  exchangeId: string,
  end: 'ok' | 'error' | 'unanswered' | ErrorCode,
  more: Partial<ExchangeEntry> = {},
): Promise<number> {
  const position = await append(store, requestEntry(exchangeId, more))
  const side = more.side ?? 'client'
  if (end === 'ok' || end === 'error') {
    const status = end === 'ok' ? 200 : 404
    await append(store, responseEntry(exchangeId, position, { side, status }))
  } else if (end !== 'unanswered') {
    await append(store, refusalEntry(exchangeId, end, { side, begunAt: position }))
  }
  return position
}

/** Exchange ids of what a query finds, in its order. */
export async function found(
  store: ExchangeLogStore,
  query: Partial<LogQuery> = {},
): Promise<string[]> {
  return (await store.list({ limit: 1000, ...query })).map(({ exchangeId }) => exchangeId)
}
