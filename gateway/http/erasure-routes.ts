import { ExchangeError, refusedAs } from '../../protocol/errors.ts'
import { checkPart } from '../../protocol/identifiers.ts'
import type { Erasure } from '../../exchange-log/erasure.ts'
import type { Hold, HoldScope } from '../../exchange-log/holds.ts'
import type { Retention } from '../../exchange-log/retention.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'
import {
  anyObject,
  flag,
  json,
  listOf,
  named,
  NOTHING,
  object,
  text,
  time,
  whole,
} from '../../runtime/route-description.ts'

/** Whoever has the administration's token. */
const ACTOR = 'administrator'
const MAX_REASON = 1000

const reason = { type: 'string', minLength: 1, maxLength: MAX_REASON, pattern: '\\S' } as const
const parseReason = bodyParser<{ reason: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason },
})

interface HoldBody extends Omit<HoldScope, 'from' | 'to'> {
  readonly reason: string
  readonly from?: string
  readonly to?: string
}
const filter = { type: 'string', minLength: 1, maxLength: 1000, nullable: true } as const
const parseHold = bodyParser<HoldBody>({
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    reason,
    exchangeId: filter,
    client: filter,
    service: filter,
    userId: filter,
    issue: filter,
    from: filter,
    to: filter,
  },
})

const HOLD = named(
  'Hold',
  object(
    { id: text, reason: text, actor: text, at: time, position: whole, isHolding: flag },
    {
      ...{ exchangeId: text, client: text, service: text, userId: text, issue: text },
      ...{ from: time, to: time },
    },
  ),
)
const RETENTION = object(
  {
    rules: listOf(object({ rule: anyObject('Of the configuration.'), due: whole, held: whole })),
  },
  { lastRunAt: time, fault: text },
)

/** Erasing what was kept of exchanges, holding it off, and what retention would erase. */
export function createErasureRoutes({
  erasure,
  retention,
}: {
  readonly erasure: Erasure
  readonly retention: Retention
}): Route[] {
  return [
    {
      method: 'POST',
      path: '/admin/log/:exchangeId/erasure',
      access: 'admin',
      about: {
        summary: 'Erase what was kept of an exchange',
        body: parseReason,
        answers: { 200: json(object({ positions: listOf(whole) })) },
        refusals: ['admin.not-found', 'log.held', 'log.erasure-unfinished', 'log.unavailable'],
      },
      handle: async ({ params, body }) => {
        const order = { actor: ACTOR, ...parseReason(body) }
        return { body: { positions: await erasure.eraseExchange(params.exchangeId ?? '', order) } }
      },
    },
    {
      method: 'GET',
      path: '/admin/holds',
      access: 'admin',
      about: {
        summary: 'Holds, which keep content from being erased',
        answers: { 200: json(object({ holds: listOf(HOLD) })) },
      },
      handle: async () => ({ body: { holds: (await erasure.holds()).map(toView) } }),
    },
    {
      method: 'POST',
      path: '/admin/holds',
      access: 'admin',
      about: {
        summary: 'Hold content',
        body: parseHold,
        answers: { 201: json(HOLD) },
        refusals: ['log.unavailable'],
      },
      handle: async ({ body }) => {
        const { reason: why, ...given } = parseHold(body)
        const scope = Object.entries(given).filter(([, value]) => value !== null)
        const hold = await erasure.hold(readScope(Object.fromEntries(scope)), {
          actor: ACTOR,
          reason: why,
        })
        return { status: 201, body: toView(hold) }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/holds/:id',
      access: 'admin',
      about: {
        summary: 'Release a hold',
        query: { reason: { schema: reason, required: true } },
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict', 'log.unavailable'],
      },
      handle: async ({ params, query }) => {
        const order = { actor: ACTOR, ...parseReason(Object.fromEntries(query)) }
        await erasure.release(params.id ?? '', order)
        return {}
      },
    },
    {
      method: 'GET',
      path: '/admin/retention',
      access: 'admin',
      about: { summary: 'What retention would erase', answers: { 200: json(RETENTION) } },
      handle: async () => ({
        body: {
          rules: await retention.preview(),
          lastRunAt: retention.lastRunAt,
          fault: retention.fault,
        },
      }),
    },
    {
      method: 'POST',
      path: '/admin/retention',
      access: 'admin',
      about: {
        summary: 'Let retention run now',
        details: 'What comes of it, GET tells.',
        answers: { 202: NOTHING },
      },
      // What comes of it is seen by GET: it may take longer than a caller waits.
      handle: () => {
        void retention.runNow()
        return { status: 202 }
      },
    },
  ]
}

function readScope({ from, to, ...texts }: Omit<HoldBody, 'reason'>): HoldScope {
  if (texts.client !== undefined) checkId('client', texts.client, 4)
  if (texts.service !== undefined) checkId('service', texts.service, 5)
  const scope = { ...texts, ...instant('from', from), ...instant('to', to) }
  if (Object.keys(scope).length > 0) return scope
  throw new ExchangeError('admin.invalid', 'say what the hold covers: an empty one would hold all')
}

/** What is written wrong would hold nothing. */
function checkId(name: string, id: string, most: number): void {
  const parts = id.split('/')
  if (parts.length < 3 || parts.length > most) {
    const form = ['INSTANCE/CLASS/MEMBER', 'SUBSYSTEM', 'SERVICE'].slice(0, most - 2).join('/')
    throw new ExchangeError('admin.invalid', `${name} is ${form} or a beginning of it`)
  }
  for (const part of parts) {
    refusedAs('admin.invalid', undefined, () => checkPart(part))
  }
}

function instant(name: 'from' | 'to', value: string | undefined): Pick<HoldScope, 'from' | 'to'> {
  if (value === undefined) return {}
  const at = new Date(value)
  if (!Number.isNaN(at.getTime())) return { [name]: at }
  throw new ExchangeError('admin.invalid', `${name} is not a time; write 2026-01-31T08:00:00Z`)
}

const toView = ({ scope, releasedAt, ...hold }: Hold): object => ({
  ...hold,
  ...scope,
  isHolding: releasedAt === undefined,
})
