import { randomUUID } from 'node:crypto'
import { readServiceId } from '../protocol/identifiers.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type Route } from '../runtime/admin-api.ts'
import {
  flag,
  json,
  listOf,
  named,
  NOTHING,
  object,
  text,
  time,
  whole,
} from '../runtime/route-description.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import { invalid } from './input.ts'
import { lastEventPosition } from './service-events.ts'

/** Somebody who wants to be told of changes. */
export interface Webhook {
  readonly id: string
  readonly url: string
  /** Services that it hears of; absent: all. */
  readonly services?: readonly string[]
  readonly createdAt: string
  /** Of the last event that it has. */
  readonly position: number
  /** In vain, of the event that comes next. */
  readonly attempts: number
  readonly failingSince?: string
  readonly lastError?: string
  /** It has failed for so long that nothing is sent any more; put it again to begin anew. */
  readonly suspended: boolean
}

export interface WebhookRow {
  readonly id: string
  readonly url: string
  readonly services: string | null
  readonly createdAt: string
  readonly position: number
  readonly attempts: number
  readonly failingSince: string | null
  readonly nextAttemptAt: string
  readonly lastError: string | null
  readonly suspended: number
}

const parseWebhook = bodyParser<{ url: string; services?: string[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: { type: 'string', maxLength: 2000 },
    services: {
      type: 'array',
      nullable: true,
      minItems: 1,
      maxItems: 1000,
      uniqueItems: true,
      items: { type: 'string', maxLength: 500 },
    },
  },
})

const WEBHOOK = named(
  'Webhook',
  object(
    { id: text, url: text, createdAt: time, position: whole, attempts: whole, suspended: flag },
    { services: listOf(text), failingSince: time, lastError: text },
  ),
)

const MAX_WEBHOOKS = 1000

/** Whom the catalogue tells, and with which key it signs what it tells. */
export function createWebhookRoutes(context: CatalogueContext): Route[] {
  const { db, clock, changes } = context
  const path = '/admin/webhooks'
  return [
    {
      method: 'GET',
      path: '/jwks',
      access: 'public',
      about: {
        summary: 'Keys that notices are signed with',
        answers: { 200: json(object({ keys: listOf({ type: 'object' }) })) },
      },
      handle: () => ({
        headers: { 'cache-control': 'max-age=300' },
        body: { keys: context.key.publicJwks },
      }),
    },
    {
      method: 'GET',
      path,
      access: 'admin',
      about: { summary: 'Webhooks', answers: { 200: json(object({ webhooks: listOf(WEBHOOK) })) } },
      handle: () => ({
        body: { webhooks: db.all<WebhookRow>('SELECT * FROM webhook ORDER BY id').map(toWebhook) },
      }),
    },
    {
      method: 'POST',
      path,
      access: 'admin',
      about: {
        summary: 'Add a webhook',
        body: parseWebhook,
        answers: { 201: json(WEBHOOK) },
        refusals: ['admin.conflict'],
      },
      handle: async (request) => {
        const { url, services } = parseWebhook(request.body)
        checkUrl(url)
        services?.forEach((service, i) => checkService(`services/${i}`, service))
        const id = randomUUID()
        return await changes.put({
          action: 'put-webhook',
          subject: `webhook ${id}`,
          read: () => findWebhook(db, id),
          apply: () => {
            refuseTooMany(db)
            const now = clock().toISOString()
            db.run(
              `INSERT INTO webhook (id, url, services, createdAt, position, nextAttemptAt)
               VALUES (?, ?, ?, ?, ?, ?)`,
              id,
              url,
              services === undefined ? null : JSON.stringify(services),
              now,
              lastEventPosition(db),
              now,
            )
          },
        })
      },
    },
    {
      method: 'POST',
      path: `${path}/:id/resume`,
      access: 'admin',
      about: {
        summary: 'Begin anew with a webhook that failed',
        answers: { 200: json(WEBHOOK) },
        refusals: ['admin.not-found'],
      },
      handle: ({ params: { id = '' } }) =>
        changes.put({
          action: 'resume-webhook',
          subject: `webhook ${id}`,
          read: () => findWebhook(db, id),
          apply: () => {
            if (findWebhook(db, id) === undefined) throw unknown(`webhook ${id}`)
            db.run(
              `UPDATE webhook SET suspended = 0, attempts = 0, failingSince = NULL,
                 nextAttemptAt = ? WHERE id = ?`,
              clock().toISOString(),
              id,
            )
          },
        }),
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      access: 'admin',
      about: {
        summary: 'Remove a webhook',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params: { id = '' } }) =>
        changes.remove({
          action: 'delete-webhook',
          subject: `webhook ${id}`,
          read: () => findWebhook(db, id),
          apply: () => db.run('DELETE FROM webhook WHERE id = ?', id),
        }),
    },
  ]
}

function findWebhook(db: Database, id: string): Webhook | undefined {
  const row = db.get<WebhookRow>('SELECT * FROM webhook WHERE id = ?', id)
  return row && toWebhook(row)
}

function toWebhook(row: WebhookRow): Webhook {
  const { id, url, services, createdAt, position, attempts, failingSince, lastError } = row
  return {
    ...{ id, url, createdAt, position, attempts },
    ...(services === null ? {} : { services: JSON.parse(services) as string[] }),
    ...(failingSince === null ? {} : { failingSince }),
    ...(lastError === null ? {} : { lastError }),
    suspended: row.suspended === 1,
  }
}

/** @throws ExchangeError `admin.invalid`; where the name leads to is judged when it is called. */
function checkUrl(text: string): void {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:') throw invalid('url', 'write an https:// URL')
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw invalid('url', 'leave out user, password and fragment')
  }
}

function checkService(field: string, id: string): void {
  try {
    readServiceId(id)
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    throw invalid(field, error.message, error)
  }
}

function refuseTooMany(db: Database): void {
  const { count } = db.get<{ count: number }>('SELECT count(*) AS count FROM webhook')!
  if (count < MAX_WEBHOOKS) return
  throw new ExchangeError('admin.conflict', `there are ${MAX_WEBHOOKS} webhooks; remove one first`)
}
