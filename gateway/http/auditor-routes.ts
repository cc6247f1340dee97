import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import { ADMINISTRATOR, bodyParser, type Route } from '../../runtime/admin-api.ts'
import {
  flag,
  json,
  listOf,
  named,
  NOTHING,
  object,
  oneOf,
  text,
  time,
  whole,
} from '../../runtime/route-description.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Auditor, Auditors } from '../auditing/auditors.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { PAGE, parseParameters, readInstant, type Parameters } from './log-query.ts'

interface Asked {
  name: string
  scope?: string[]
  all?: boolean
  expiresAt?: string
}

const parseAuditor = bodyParser<Asked>({
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    // Begins with a letter or digit, ends without a space: names are read in logs.
    name: {
      type: 'string',
      maxLength: 100,
      pattern: "^[\\p{L}\\p{N}]([\\p{L}\\p{N}\\p{M} .@_'-]*[\\p{L}\\p{N}\\p{M}.])?$",
    },
    scope: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
      items: { type: 'string', maxLength: 700 },
      nullable: true,
    },
    all: { type: 'boolean', nullable: true },
    expiresAt: { type: 'string', maxLength: 40, nullable: true },
  },
})

const QUERIES = {
  after: { ...PAGE.before, description: 'Where the page before ended: its `next`.' },
  limit: PAGE.limit,
} as const satisfies Parameters

const AUDITOR = {
  id: text,
  name: text,
  createdAt: time,
  state: oneOf('active', 'expired', 'revoked'),
}
const AUDITOR_MORE = { scope: listOf(text), all: flag, expiresAt: time, revokedAt: time }
const QUERY = named(
  'AuditQuery',
  object(
    { position: whole, exchangeId: text, at: time, query: text },
    {
      actor: text,
      auditor: text,
      parameters: { type: 'object' },
      results: whole,
      begunAt: whole,
      complete: flag,
    },
  ),
)

/** Who may audit is the administrator's to say, and what was asked its to read. */
export function createAuditorRoutes(
  auditors: Auditors,
  store: Pick<ExchangeLogStore, 'events'>,
  clock: Clock,
): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/audit-queries',
      access: 'admin',
      about: {
        summary: 'What auditors asked',
        query: QUERIES,
        answers: { 200: json(object({ queries: listOf(QUERY) }, { next: whole })) },
      },
      handle: async ({ query }) => {
        const { after = 0, limit = 50 } = parseParameters(query, QUERIES)
        const found = await store.events(['query'], Number(after), Number(limit))
        const last = found.at(-1)
        const next = found.length === limit && last ? { next: last.position } : {}
        const queries = found.map(({ position, exchangeId, at, actor, detail }) => ({
          ...{ position, exchangeId, at, actor },
          ...(JSON.parse(detail ?? '{}') as object),
        }))
        return { body: { queries, ...next } }
      },
    },
    {
      method: 'GET',
      path: '/admin/auditors',
      access: 'admin',
      about: {
        summary: 'Auditors',
        answers: {
          200: json(object({ auditors: listOf(named('Auditor', object(AUDITOR, AUDITOR_MORE))) })),
        },
      },
      handle: () => ({
        body: { auditors: auditors.list().map((auditor) => toView(auditor, clock())) },
      }),
    },
    {
      method: 'POST',
      path: '/admin/auditors',
      access: 'admin',
      about: {
        summary: 'Add an auditor',
        details: 'The token is in this answer, and nowhere else.',
        body: parseAuditor,
        answers: { 201: json(object({ ...AUDITOR, token: text }, AUDITOR_MORE)) },
        refusals: ['admin.conflict'],
      },
      handle: ({ body }) => {
        const { auditor, token } = auditors.add(readAuditor(body, clock()))
        return { status: 201, body: { ...toView(auditor, clock()), token } }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/auditors/:name',
      access: 'admin',
      about: {
        summary: 'End the token of an auditor',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params }) => {
        auditors.revoke((params.name ?? '').normalize('NFC'))
        return {}
      },
    },
  ]
}

function readAuditor(body: unknown, now: Date): Pick<Auditor, 'name' | 'scope' | 'expiresAt'> {
  const { name: given, scope, all = false, expiresAt: until } = parseAuditor(body)
  const name = given.normalize('NFC')
  if (name.toLowerCase() === ADMINISTRATOR.name) {
    throw new ExchangeError('admin.invalid', `/name: ${name} is the name of another role`)
  }
  if (all === (scope !== undefined)) {
    throw new ExchangeError('admin.invalid', 'give either scope, or all: true')
  }
  const expiresAt = until === undefined ? undefined : readInstant('/expiresAt', until)
  if (expiresAt && expiresAt <= now) {
    throw new ExchangeError('admin.invalid', '/expiresAt is in the past')
  }
  return {
    name,
    ...(scope ? { scope: scope.map(readScope) } : {}),
    ...(expiresAt ? { expiresAt } : {}),
  }
}

function readScope(text: string): string {
  try {
    return formatId(text.split('/').length === 5 ? readServiceId(text) : readClientId(text))
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    const expected = 'a member, a subsystem or a service, as INSTANCE/CLASS/MEMBER'
    throw new ExchangeError('admin.invalid', `/scope: ${cause.message}; write ${expected}`, {
      cause,
    })
  }
}

function toView(auditor: Auditor, now: Date): object {
  const { expiresAt, revokedAt, scope } = auditor
  const isExpired = expiresAt !== undefined && expiresAt <= now
  const state = revokedAt ? 'revoked' : isExpired ? 'expired' : 'active'
  return { ...auditor, ...(scope ? {} : { all: true }), state }
}
