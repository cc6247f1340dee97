/** Legal holds: what they cover, and how they stand in the log. Their state is in its events and nowhere else. */
import { canonicalJson } from '../protocol/canonical-json.ts'
import type { EventKind, StoredRecord } from './record.ts'
import type { ContentOwner, ExchangeLogStore } from './store.ts'

/** What a hold covers: exchanges for which all that is given fits. */
export interface HoldScope {
  readonly exchangeId?: string
  /** A member or subsystem; a member, subsystem or service: it covers what is below it too. */
  readonly client?: string
  readonly service?: string
  readonly userId?: string
  readonly issue?: string
  /** Begun at or after; begun before. */
  readonly from?: Date
  readonly to?: Date
}
export interface Hold {
  readonly id: string
  readonly scope: HoldScope
  readonly reason: string
  readonly actor: string
  readonly at: Date
  /** Of its record: an erasure that was recorded before it is not held up. */
  readonly position: number
  /** Of the record of its release; undefined while it holds. */
  readonly releasedAt?: number
}

interface HoldDetail {
  readonly hold: string
  readonly reason: string
  readonly scope?: Record<string, string>
}

/** `detail` of a `hold` event. */
export function holdDetail(id: string, reason: string, { from, to, ...texts }: HoldScope): string {
  const times = {
    ...(from ? { from: from.toISOString() } : {}),
    ...(to ? { to: to.toISOString() } : {}),
  }
  return canonicalJson({ hold: id, reason, scope: { ...texts, ...times } })
}

/** `detail` of a `release` event. */
export function releaseDetail(id: string, reason: string): string {
  return canonicalJson({ hold: id, reason })
}

const PAGE = 1000

/** Every hold that there ever was, oldest first. @throws LogStoreError */
export async function readHolds(store: Pick<ExchangeLogStore, 'events'>): Promise<Hold[]> {
  const holds = new Map<string, Hold>()
  for await (const event of eventsOf(store, ['hold', 'release'])) {
    const { hold: id, reason, scope = {} } = JSON.parse(event.detail ?? '{}') as HoldDetail
    const { position, at, actor = '' } = event
    const known = holds.get(id)
    if (event.kind === 'hold') {
      holds.set(id, { id, scope: readScope(scope), reason, actor, at, position })
    } else if (known) holds.set(id, { ...known, releasedAt: position })
  }
  return [...holds.values()]
}

/** Events of some kinds after a position, oldest first. @throws LogStoreError */
export async function* eventsOf(
  store: Pick<ExchangeLogStore, 'events'>,
  kinds: readonly EventKind[],
  begin = 0,
): AsyncGenerator<StoredRecord> {
  for (let after = begin; ;) {
    const page = await store.events(kinds, after, PAGE)
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)!.position
  }
}

function readScope({ from, to, ...texts }: Record<string, string>): HoldScope {
  return {
    ...texts,
    ...(from === undefined ? {} : { from: new Date(from) }),
    ...(to === undefined ? {} : { to: new Date(to) }),
  }
}

/**
 * The hold that keeps a record's content from being erased.
 *
 * @param before only holds and releases recorded before this position count; absent: all.
 */
export function holdOn(
  owner: ContentOwner,
  holds: readonly Hold[],
  before = Number.POSITIVE_INFINITY,
): Hold | undefined {
  return holds.find(
    ({ scope, position, releasedAt }) =>
      position < before &&
      (releasedAt === undefined || releasedAt >= before) &&
      covers(scope, owner),
  )
}

function covers(scope: HoldScope, owner: ContentOwner): boolean {
  const { exchangeId, userId, issue, from, to } = scope
  return (
    (exchangeId === undefined || exchangeId === owner.exchangeId) &&
    (userId === undefined || userId === owner.userId) &&
    (issue === undefined || issue === owner.issue) &&
    (from === undefined || owner.at >= from) &&
    (to === undefined || owner.at < to) &&
    isWithin(owner.client, scope.client) &&
    isWithin(owner.service, scope.service)
  )
}

function isWithin(id: string | undefined, above: string | undefined): boolean {
  return above === undefined || id === above || (id?.startsWith(`${above}/`) ?? false)
}
