import { ExchangeError } from '../../protocol/errors.ts'
import type { Erasure } from '../../exchange-log/erasure.ts'
import type { Hold, HoldScope } from '../../exchange-log/holds.ts'
import type { Retention } from '../../exchange-log/retention.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'

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
const text = { type: 'string', minLength: 1, maxLength: 1000, nullable: true } as const
const parseHold = bodyParser<HoldBody>({
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    reason,
    exchangeId: text,
    client: text,
    service: text,
    userId: text,
    issue: text,
    from: text,
    to: text,
  },
})

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
      handle: async ({ params, body }) => {
        const order = { actor: ACTOR, ...parseReason(body) }
        return { body: { positions: await erasure.eraseExchange(params.exchangeId ?? '', order) } }
      },
    },
    {
      method: 'GET',
      path: '/admin/holds',
      access: 'admin',
      handle: async () => ({ body: { holds: (await erasure.holds()).map(toView) } }),
    },
    {
      method: 'POST',
      path: '/admin/holds',
      access: 'admin',
      handle: async ({ body }) => {
        const { reason: why, ...scope } = parseHold(body)
        const hold = await erasure.hold(readScope(scope), { actor: ACTOR, reason: why })
        return { status: 201, body: toView(hold) }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/holds/:id',
      access: 'admin',
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
      // What comes of it is seen by GET: it may take longer than a caller waits.
      handle: () => {
        void retention.runNow()
        return { status: 202 }
      },
    },
  ]
}

function readScope({ from, to, ...texts }: Omit<HoldBody, 'reason'>): HoldScope {
  const scope = { ...texts, ...instant('from', from), ...instant('to', to) }
  if (Object.keys(scope).length > 0) return scope
  throw new ExchangeError('admin.invalid', 'say what the hold covers: an empty one would hold all')
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
