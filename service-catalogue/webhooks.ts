import { randomUUID } from 'node:crypto'
import { readServiceId } from '../protocol/identifiers.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type Principal, type Route } from '../runtime/admin-api.ts'
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
import { isWithin } from './scope.ts'
import { lastEventPosition } from './service-events.ts'

/** Somebody who wants to be told of changes. */
export interface Webhook {
  readonly id: string
  readonly url: string
  /** Whose it is: members, subsystems or services; absent: the operator's. */
  readonly scope?: readonly string[]
  /** Services that it hears of; absent: all, or those of its scope and those that its scope has a contract for. */
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
  readonly scope: string | null
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
    { scope: listOf(text), services: listOf(text), failingSince: time, lastError: text },
  ),
)

const MAX_WEBHOOKS = 1000
/** Of one member, by whoever administers it. */
const MAX_WEBHOOKS_OF_MEMBER = 20

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
      access: 'reader',
      about: { summary: 'Webhooks', answers: { 200: json(object({ webhooks: listOf(WEBHOOK) })) } },
      handle: ({ principal }) => {
        const all = db.all<WebhookRow>('SELECT * FROM webhook ORDER BY id').map(toWebhook)
        return { body: { webhooks: all.filter((webhook) => isTheirs(principal, webhook)) } }
      },
    },
    {
      method: 'POST',
      path,
      access: 'service-owner',
      about: {
        summary: 'Add a webhook',
        body: parseWebhook,
        answers: { 201: json(WEBHOOK) },
        refusals: ['admin.conflict'],
      },
      handle: ({ body, principal }) => {
        const { url, services } = parseWebhook(body)
        checkUrl(url)
        services?.forEach((service, i) => checkService(`services/${i}`, service))
        const id = randomUUID()
        const named = { action: 'put-webhook', subject: `webhook ${id}` }
        return changes.note(named, () => {
          const scope = principal?.scope
          refuseTooMany(db, scope)
          const now = clock().toISOString()
          db.run(
            `INSERT INTO webhook (id, url, scope, services, createdAt, position, nextAttemptAt)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            id,
            url,
            scope === undefined ? null : JSON.stringify(scope),
            services === undefined ? null : JSON.stringify(services),
            now,
            lastEventPosition(db),
            now,
          )
          return { status: 201, body: findWebhook(db, id) }
        })
      },
    },
    {
      method: 'POST',
      path: `${path}/:id/resume`,
      access: 'service-owner',
      about: {
        summary: 'Begin anew with a webhook that failed',
        answers: { 200: json(WEBHOOK) },
        refusals: ['admin.not-found'],
      },
      handle: ({ params: { id = '' }, principal }) =>
        changes.note({ action: 'resume-webhook', subject: `webhook ${id}` }, () => {
          existingWebhook(db, id, principal)
          db.run(
            `UPDATE webhook SET suspended = 0, attempts = 0, failingSince = NULL,
               nextAttemptAt = ? WHERE id = ?`,
            clock().toISOString(),
            id,
          )
          return { body: findWebhook(db, id) }
        }),
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      access: 'service-owner',
      about: {
        summary: 'Remove a webhook',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params: { id = '' }, principal }) =>
        changes.note({ action: 'delete-webhook', subject: `webhook ${id}` }, () => {
          existingWebhook(db, id, principal)
          db.run('DELETE FROM webhook WHERE id = ?', id)
          return {}
        }),
    },
  ]
}

/** The operator and auditors see all; others what is wholly of their scope. */
function isTheirs(principal: Principal | undefined, { scope }: Webhook): boolean {
  if (principal?.scope === undefined) return true
  return scope?.every((id) => isWithin(principal.scope, id)) ?? false
}

/** @throws ExchangeError `admin.not-found`, also of what is somebody else's. */
function existingWebhook(db: Database, id: string, principal: Principal | undefined): void {
  const webhook = findWebhook(db, id)
  if (webhook === undefined || !isTheirs(principal, webhook)) throw unknown(`webhook ${id}`)
}

function findWebhook(db: Database, id: string): Webhook | undefined {
  const row = db.get<WebhookRow>('SELECT * FROM webhook WHERE id = ?', id)
  return row && toWebhook(row)
}

function toWebhook(row: WebhookRow): Webhook {
  const { id, url, scope, services, createdAt, position, attempts, failingSince, lastError } = row
  return {
    ...{ id, url, createdAt, position, attempts },
    ...(scope === null ? {} : { scope: JSON.parse(scope) as string[] }),
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

function refuseTooMany(db: Database, scope: readonly string[] | undefined): void {
  const { count } = db.get<{ count: number }>('SELECT count(*) AS count FROM webhook')!
  if (count >= MAX_WEBHOOKS) {
    const detail = `there are ${MAX_WEBHOOKS} webhooks; remove one first`
    throw new ExchangeError('admin.conflict', detail)
  }
  for (const member of new Set(scope?.map(memberPart))) {
    const { count: own } = db.get<{ count: number }>(
      `SELECT count(*) AS count FROM webhook WHERE EXISTS
         (SELECT 1 FROM json_each(scope) WHERE value = ?1 OR substr(value, 1, length(?1) + 1) = ?1 || '/')`,
      member,
    )!
    if (own < MAX_WEBHOOKS_OF_MEMBER) continue
    const detail = `there are ${MAX_WEBHOOKS_OF_MEMBER} webhooks of ${member}; remove one first`
    throw new ExchangeError('admin.conflict', detail)
  }
}

const memberPart = (id: string): string => id.split('/').slice(0, 3).join('/')
