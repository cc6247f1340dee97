import type { Side, StoredRecord } from '../record.ts'
import type { ExchangeLogStore } from '../store.ts'
import { erases } from './erasures.ts'
import { ERASURES, type PartName } from './layout.ts'

/** The records of one run, by their part; those of the exchange first. */
export type Run = ReadonlyMap<PartName, StoredRecord>
export type RunSources = Pick<ExchangeLogStore, 'entries' | 'events' | 'wrappedKey'>

export interface FoundRun {
  readonly run: Run
  /** All records with that exchange id. */
  readonly all: readonly StoredRecord[]
}

/**
 * The records that are proved of an exchange, and the events that erased what was kept of them, which may name other
 * exchanges too: retention erases many at once.
 *
 * @param side which of this gateway's records, when it had both roles; else those there are.
 * @returns undefined when the log has no such exchange.
 */
export async function findRun(
  exchangeId: string,
  side: Side | undefined,
  records: RunSources,
): Promise<FoundRun | undefined> {
  const all = await records.entries(exchangeId)
  const run = chooseRun(all, side)
  if (run.size === 0) return undefined
  const erased: number[] = []
  for (const { kept = 'none', position } of run.values()) {
    const isGone = kept !== 'none' && (await records.wrappedKey(position)) === undefined
    if (isGone) erased.push(position)
  }
  const events = await erasuresOf(erased, records)
  return {
    all,
    run: new Map([...run, ...events.map((event, i) => [ERASURES[i]!, event] as const)]),
  }
}

/**
 * The first one that ended with a response, else the first. A replayed request has the exchange id of the one that
 * it repeats, and is another run.
 */
function chooseRun(records: readonly StoredRecord[], side: Side | undefined): Run {
  const runs = Map.groupBy(
    records.filter((record) => record.side !== undefined && (!side || record.side === side)),
    ({ begunAt, position }) => begunAt ?? position,
  )
  const has = (kind: string) => (run: readonly StoredRecord[]) =>
    run.some((record) => record.kind === kind)
  const all = [...runs.values()]
  const run = all.find(has('response')) ?? all.find(has('request')) ?? all[0]
  const parts = new Map<PartName, StoredRecord>()
  for (const record of run ?? []) {
    if (record.kind === 'request' || record.kind === 'response' || record.kind === 'refusal') {
      parts.set(record.kind, record)
    }
  }
  return parts
}

const PAGE = 1000

/** The first event for each of the positions, in the order of the log. */
async function erasuresOf(
  positions: readonly number[],
  { events }: Pick<RunSources, 'events'>,
): Promise<StoredRecord[]> {
  const open = new Set(positions)
  const found: StoredRecord[] = []
  let after = Math.min(...positions)
  while (open.size > 0) {
    const page = await events(['erasure'], after, PAGE)
    for (const event of page) {
      const named = [...open].filter((position) => erases(event.detail, position))
      if (named.length > 0) found.push(event)
      for (const position of named) open.delete(position)
    }
    if (page.length < PAGE) break
    after = page.at(-1)!.position
  }
  return found
}

/** Whether an event of the run says that what was kept of a record was erased. */
export function isErasedBy(run: Run, position: number): boolean {
  return ERASURES.some((part) => erases(run.get(part)?.detail, position))
}
