import { randomUUID } from 'node:crypto'
import type { ApiReply, ApiRequest, Route } from '../runtime/admin-api.ts'
import { json, object, text } from '../runtime/route-description.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { CatalogueContext } from './context.ts'
import { CURSOR, invalid } from './input.ts'
import { EVENTS } from './service-schemas.ts'
import { readWaitMs } from './request-preferences.ts'

/** What consumers are told of services; part of the interface (docs/catalogue-content.md). */
export type ServiceEventType =
  | 'service.published'
  | 'service.changed'
  | 'service.change-planned'
  | 'service.change-withdrawn'
  | 'service.described'
  | 'service.deprecated'
  | 'service.retired'
  | 'service.removed'

export interface ServiceEvent {
  readonly position: number
  /** The same however often it is sent. */
  readonly id: string
  readonly at: string
  readonly type: ServiceEventType
  readonly service: string
  /** Of the service once the event took place; of a planned change, the one to come. */
  readonly version: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Inside of the transaction that makes it true. */
export function recordServiceEvent(
  db: Database,
  event: Omit<ServiceEvent, 'position' | 'id' | 'at'>,
  at: Date,
): void {
  const { type, service, version, data } = event
  db.run(
    'INSERT INTO service_event (id, at, type, service, version, data) VALUES (?, ?, ?, ?, ?, ?)',
    randomUUID(),
    at.toISOString(),
    type,
    service,
    version,
    JSON.stringify(data),
  )
}

type EventRow = Omit<ServiceEvent, 'data'> & { readonly data: string }

const toEvent = ({ data, ...row }: EventRow): ServiceEvent => ({
  ...row,
  data: JSON.parse(data) as ServiceEvent['data'],
})

/** In order. @param service all services when undefined. */
export function serviceEvents(
  db: Database,
  { after, service, limit }: { after: number; service?: string | undefined; limit: number },
): ServiceEvent[] {
  const rows =
    service === undefined
      ? db.all<EventRow>(
          'SELECT * FROM service_event WHERE position > ? ORDER BY position LIMIT ?',
          after,
          limit,
        )
      : db.all<EventRow>(
          `SELECT * FROM service_event WHERE service = ? AND position > ?
           ORDER BY position LIMIT ?`,
          service,
          after,
          limit,
        )
  return rows.map(toEvent)
}

export function lastEventPosition(db: Database): number {
  return db.get<{ last: number }>('SELECT coalesce(max(position), 0) AS last FROM service_event')!
    .last
}

const EVENTS_IN_ANSWER = 500

/** The feed for everybody: what was published is no secret, and drafts are in no event. */
export function createServiceEventRoutes(context: CatalogueContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/events',
      access: 'public',
      about: {
        summary: 'What happened to services',
        query: { ...CURSOR, service: { schema: text, description: 'Only of this one.' } },
        answers: { 200: json(object(EVENTS)) },
      },
      handle: (request) => answerFeed(context, request),
    },
  ]
}

/** What follows `after`; with `Prefer: wait=N` held until there is something: no event comes without a snapshot. */
async function answerFeed(
  { db, publisher }: Pick<CatalogueContext, 'db' | 'publisher'>,
  request: ApiRequest,
): Promise<ApiReply> {
  const after = readAfter(request)
  const service = request.query.get('service') ?? undefined
  const { signal } = request
  const waitMs = readWaitMs(request.headers)
  const deadline = performance.now() + (waitMs ?? 0)
  for (;;) {
    const { etag } = publisher.current()
    const events = serviceEvents(db, { after, service, limit: EVENTS_IN_ANSWER })
    const leftMs = deadline - performance.now()
    if (events.length > 0 || leftMs <= 0 || publisher.stopped || signal.aborted) {
      return {
        headers: {
          'cache-control': 'no-cache',
          ...(waitMs === undefined ? {} : { 'preference-applied': 'wait' }),
          ...(publisher.stopped ? { connection: 'close' } : {}),
        },
        body: { events, next: events.at(-1)?.position ?? after },
      }
    }
    await publisher.waitForOther(etag, leftMs, signal)
  }
}

function readAfter({ query }: ApiRequest): number {
  const text = query.get('after') ?? '0'
  const after = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(after)) return after
  throw invalid('after', 'send the next of the answer before, a whole number')
}
