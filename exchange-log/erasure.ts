import { canonicalJson } from '../protocol/canonical-json.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import {
  eventsOf,
  holdDetail,
  holdOn,
  readHolds,
  releaseDetail,
  type Hold,
  type HoldScope,
} from './holds.ts'
import type { EventKind, LogEntry, StoredRecord } from './record.ts'
import { LogStoreError, type ContentOwner, type ExchangeLogStore } from './store.ts'

/** Who wants something done to the log, and why: it is recorded. */
export interface Order {
  readonly actor: string
  readonly reason: string
}

/**
 * Erases what was kept of exchanges. The event is recorded before anything is destroyed, and names positions, so
 * that what a crash or a fault cut off is done again: an erasure that is in the log takes effect on its positions,
 * but for those that a hold recorded before it covers.
 */
export interface Erasure {
  /**
   * Erases header blocks and bodies of an exchange at this gateway.
   *
   * @returns the positions of the records whose content is gone; none when nothing was kept any more.
   * @throws ExchangeError `admin.not-found`; `log.held`; `log.unavailable` when it cannot be recorded, and
   * `log.erasure-unfinished` when that only worked.
   */
  eraseExchange(exchangeId: string, order: Order): Promise<number[]>
  /** Erases the content of records, without those that are held. @returns as {@link eraseExchange} does */
  eraseContents(owners: readonly ContentOwner[], order: Order): Promise<number[]>
  /** Brings every erasure in the log to its end. @throws LogStoreError */
  finish(): Promise<void>
  hold(scope: HoldScope, order: Order): Promise<Hold>
  /** @throws ExchangeError `admin.not-found` when there is no such hold, or it was released. */
  release(id: string, order: Order): Promise<void>
  /** All that there ever were, oldest first. */
  holds(): Promise<Hold[]>
}

/** Records of one exchange at one gateway that have content: two for each side, more when it was replayed. */
const OF_EXCHANGE = 1000

export function createErasure(deps: {
  readonly store: Pick<ExchangeLogStore, 'contents' | 'entries' | 'erase' | 'events'>
  readonly record: (event: LogEntry) => Promise<number>
  readonly clock: Clock
}): Erasure {
  const { store, record, clock } = deps
  /** Erasures up to this position are known to have come to their end. */
  let finished = 0

  const recordEvent = async (
    kind: EventKind,
    exchangeId: string,
    { actor }: Order,
    detail: string,
  ): Promise<{ position: number; at: Date }> => {
    const at = clock()
    return { position: await record({ exchangeId, kind, at, actor, detail }), at }
  }
  const erase = async (
    exchangeId: string,
    owners: readonly ContentOwner[],
    order: Order,
  ): Promise<number[]> => {
    const positions = rangesOf(owners.map(({ position }) => position))
    const detail = canonicalJson({ positions, reason: order.reason })
    const event = await recordEvent('erasure', exchangeId, order, detail)
    try {
      // Another gateway of the same log may have recorded a hold in between.
      return await apply(owners, event.position, await readHolds(store))
    } catch (cause) {
      if (!(cause instanceof LogStoreError)) throw cause
      throw new ExchangeError('log.erasure-unfinished', cause.message, { cause })
    }
  }
  const apply = async (
    owners: readonly ContentOwner[],
    at: number,
    holds: readonly Hold[],
  ): Promise<number[]> => {
    const free = owners.filter((owner) => holdOn(owner, holds, at) === undefined)
    const positions = free.map(({ position }) => position)
    await store.erase(positions)
    return positions
  }
  return {
    eraseExchange: async (exchangeId, order) => {
      const owners = await store.contents({ exchangeId, limit: OF_EXCHANGE })
      if (owners.length === 0) {
        if ((await store.entries(exchangeId)).length > 0) return []
        throw new ExchangeError('admin.not-found', `the log has no exchange ${exchangeId}`)
      }
      const holds = await readHolds(store)
      const hold = owners.map((owner) => holdOn(owner, holds)).find((found) => found !== undefined)
      if (hold === undefined) return erase(exchangeId, owners, order)
      throw new ExchangeError('log.held', `hold ${hold.id} covers the exchange: ${hold.reason}`)
    },
    eraseContents: async (owners, order) => {
      const holds = await readHolds(store)
      const free = owners.filter((owner) => holdOn(owner, holds) === undefined)
      return free.length === 0 ? [] : erase(crypto.randomUUID(), free, order)
    },
    finish: async () => {
      let holds: Hold[] | undefined
      for await (const event of eventsOf(store, ['erasure'], finished)) {
        const positions = positionsOf(event)
        const owners = await store.contents({ positions, limit: Math.max(positions.length, 1) })
        if (owners.length > 0) {
          await apply(owners, event.position, (holds ??= await readHolds(store)))
        }
        finished = event.position
      }
    },
    hold: async (scope, order) => {
      const id = crypto.randomUUID()
      const detail = holdDetail(id, order.reason, scope)
      const event = await recordEvent('hold', scope.exchangeId ?? id, order, detail)
      return { id, scope, ...order, ...event }
    },
    release: async (id, order) => {
      const hold = (await readHolds(store)).find((one) => one.id === id)
      if (hold === undefined || hold.releasedAt !== undefined) {
        throw new ExchangeError('admin.not-found', `there is no hold ${id} that still holds`)
      }
      const exchangeId = hold.scope.exchangeId ?? id
      await recordEvent('release', exchangeId, order, releaseDetail(id, order.reason))
    },
    holds: () => readHolds(store),
  }
}

type Range = [first: number, last: number]

function rangesOf(positions: readonly number[]): Range[] {
  const ranges: Range[] = []
  for (const position of positions.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && position === last[1] + 1) last[1] = position
    else ranges.push([position, position])
  }
  return ranges
}

/** The positions that an `erasure` event names. */
export function positionsOf({ detail = '{}' }: Pick<StoredRecord, 'detail'>): number[] {
  const { positions = [] } = JSON.parse(detail) as { positions?: Range[] }
  return positions.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i),
  )
}
