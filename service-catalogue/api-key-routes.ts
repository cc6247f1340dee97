import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type ApiRequest, type Principal, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  named,
  NOTHING,
  object,
  oneOf,
  text,
  time,
} from '../runtime/route-description.ts'
import { ROLES, type Role } from '../runtime/roles.ts'
import { actingPrincipal, personOf } from './acting.ts'
import { listApiKeys, revokeApiKey, storeApiKey, type ApiKey } from './api-keys.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import { displayText, invalid } from './input.ts'
import { readScope, verifyScope } from './scope.ts'

interface KeyBody {
  name: string
  role: Role
  scope?: string[]
  /** Who will hold it: for the operator to say. */
  person?: string
  days: number
}

const MAX_DAYS = 366
const DAY_MS = 86_400_000

const parseKey = bodyParser<KeyBody>({
  type: 'object',
  additionalProperties: false,
  required: ['name', 'role'],
  properties: {
    name: displayText,
    role: { type: 'string', enum: ROLES },
    scope: {
      type: 'array',
      maxItems: 100,
      items: { type: 'string', maxLength: 700 },
      nullable: true,
    },
    person: { ...displayText, nullable: true },
    days: { type: 'integer', minimum: 1, maximum: MAX_DAYS, default: 90 },
  },
})

const KEY = {
  name: text,
  role: oneOf(...ROLES),
  person: text,
  madeBy: text,
  madeWith: text,
  createdAt: time,
  expiresAt: time,
}
const OPTIONAL = { scope: listOf(text), revokedAt: time, lastUsedAt: time }
const WHO = object(
  { name: text, role: oneOf(...ROLES), credential: text, person: text },
  { scope: listOf(text), expiresAt: time },
)

/** Keys for machines, made by the operator and by administrators of members for what is theirs. */
export function createApiKeyRoutes({ db, instance, clock, changes }: CatalogueContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/whoami',
      access: 'reader',
      about: { summary: 'Who the credential stands for', answers: { 200: json(WHO) } },
      handle: ({ principal }) => ({ body: describe(principal ?? actingPrincipal()) }),
    },
    {
      method: 'GET',
      path: '/admin/keys',
      access: 'reader',
      about: {
        summary: 'API keys',
        answers: {
          200: json(
            object({ keys: listOf(named('ApiKey', object({ id: text, ...KEY }, OPTIONAL))) }),
          ),
        },
      },
      handle: ({ principal }) => ({
        body: { keys: listApiKeys(db, principal ?? actingPrincipal()) },
      }),
    },
    {
      method: 'POST',
      path: '/admin/keys',
      access: 'member-admin',
      about: {
        summary: 'Make an API key',
        details: 'The key is in this answer, and nowhere else.',
        body: parseKey,
        answers: { 201: json(object({ id: text, key: text, ...KEY }, { scope: listOf(text) })) },
      },
      handle: (request) => {
        const asked = readKey(instance, clock(), request)
        const subject = `${asked.role} key ${asked.name} of ${asked.person}`
        const made = changes.note({ action: 'add-key', subject }, () => storeApiKey(db, asked))
        // The secret last: once seen, it is nowhere else
        return { status: 201, body: { ...asked, ...made } }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/keys/:id',
      access: 'member-admin',
      about: {
        summary: 'Revoke an API key, and those that were made with it',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params, principal = actingPrincipal() }) => {
        const { id = '' } = params
        const key = listApiKeys(db, principal).find((each) => each.id === id)
        if (key === undefined) throw unknown(`API key ${id}`)
        if (key.revokedAt === undefined) {
          const subject = `${key.role} key ${key.name} (${id})`
          changes.note({ action: 'revoke-key', subject }, () => revokeApiKey(db, id, clock()))
        }
        return {}
      },
    },
  ]
}

function readKey(
  instance: string,
  now: Date,
  { body, principal = actingPrincipal() }: ApiRequest,
): Omit<ApiKey, 'id'> {
  const { name, role, days, ...asked } = parseKey(body)
  const scope = readScope(instance, role, asked.scope)
  const isOperator = principal.role === 'admin'
  if (!isOperator && scope === undefined) {
    const detail = `a key with the role ${role} is for the operator to make`
    throw new ExchangeError('admin.not-permitted', detail)
  }
  for (const id of scope ?? []) verifyScope(principal, id)
  // Else whoever makes a key could be anybody with it
  if (isOperator === (asked.person === undefined)) {
    const why = isOperator ? 'say who will hold the key' : 'it is you; leave it out'
    throw invalid('person', why)
  }
  const until = new Date(now.getTime() + days * DAY_MS)
  const end = principal.expiresAt
  const isLonger = principal.credential?.startsWith('key ') && end !== undefined && end < until
  const expiresAt = isLonger ? end : until
  return {
    ...{ name, role, person: asked.person ?? personOf(principal), madeBy: personOf(principal) },
    ...(scope ? { scope } : {}),
    madeWith: principal.credential ?? 'token of the program',
    createdAt: now.toISOString(),
    expiresAt: expiresAt.toISOString(),
  }
}

function describe(principal: Principal): object {
  const { role, name, scope, credential = 'token of the program', expiresAt } = principal
  return {
    ...{ name, role, credential, person: personOf(principal) },
    ...(scope ? { scope } : {}),
    ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
  }
}
