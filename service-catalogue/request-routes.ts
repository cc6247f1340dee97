import { ExchangeError } from '../protocol/errors.ts'
import { checkPart } from '../protocol/identifiers.ts'
import { bodyParser, type ApiRequest, type Principal, type Route } from '../runtime/admin-api.ts'
import {
  anyObject,
  json,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
} from '../runtime/route-description.ts'
import { verifyRole } from '../runtime/roles.ts'
import { actingPrincipal, personOf } from './acting.ts'
import { createDryRun, unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import { CURSOR, displayText, invalid, readCursor } from './input.ts'
import { CHANGE_REFUSALS } from './service-schemas.ts'
import {
  ask,
  decide,
  existingRequest,
  listRequests,
  REQUEST_KINDS,
  REQUEST_STATES,
  verifyPending,
  type RegistrationRequest,
  type RequestKind,
  type RequestState,
} from './requests.ts'
import { isWithin, verifyScope } from './scope.ts'

const KINDS: Readonly<Record<RequestKind, { path: string; params: readonly string[] }>> = {
  member: { path: '/admin/members/', params: ['class', 'member'] },
  subsystem: { path: '/admin/subsystems/', params: ['class', 'member', 'subsystem'] },
  gateway: { path: '/admin/gateways/', params: ['class', 'member', 'gateway'] },
  service: { path: '/admin/services/', params: ['class', 'member', 'subsystem', 'service'] },
}
const IN_ANSWER = 100

interface AskedBody {
  kind: RequestKind
  id: string
  body: Record<string, unknown>
  reason: string
}
const parseAsked = bodyParser<AskedBody>({
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'id', 'body', 'reason'],
  properties: {
    kind: { type: 'string', enum: REQUEST_KINDS },
    id: { type: 'string', maxLength: 700 },
    body: { type: 'object', required: [] },
    reason: displayText,
  },
})
const parseDecision = bodyParser<{ reason: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: displayText },
})

const PUT_REFUSALS = ['admin.not-found', 'admin.conflict', ...CHANGE_REFUSALS] as const
const REQUEST = named(
  'RegistrationRequest',
  object(
    {
      position: whole,
      id: text,
      kind: oneOf(...REQUEST_KINDS),
      subject: text,
      body: anyObject('As it would be put.'),
      reason: text,
      state: oneOf(...REQUEST_STATES),
      requestedBy: text,
      person: text,
      requestedAt: time,
    },
    { decidedBy: text, decidedAt: time, decision: text },
  ),
)

/**
 * What is asked for by its owner and approved by the operator.
 *
 * @param resources routes that put members, subsystems, gateways and services: what is approved is put by
 *   them, and what is asked for is checked by them beforehand.
 */
export function createRequestRoutes(
  context: CatalogueContext,
  resources: (context: CatalogueContext) => readonly Route[],
): Route[] {
  const { db, instance } = context
  const dryRun = createDryRun(db)
  const trial = resources({ ...context, changes: { ...context.changes, ...dryRun } })
  const real = resources(context)
  const deciding = new Set<string>()
  return [
    {
      method: 'GET',
      path: '/admin/requests',
      access: 'reader',
      about: {
        summary: 'Requests for registration',
        query: { ...CURSOR, state: { schema: oneOf(...REQUEST_STATES) } },
        answers: { 200: json(object({ requests: listOf(REQUEST), next: whole })) },
      },
      handle: (request) => {
        const after = readCursor(request)
        const found = listRequests(db, { after, state: readState(request), limit: IN_ANSWER })
        const { scope } = request.principal ?? actingPrincipal()
        const requests = found.filter(({ subject }) => isWithin(scope, subject))
        return { body: { requests, next: found.at(-1)?.position ?? after } }
      },
    },
    {
      method: 'GET',
      path: '/admin/requests/:id',
      access: 'reader',
      about: {
        summary: 'A request for registration',
        answers: { 200: json(REQUEST) },
        refusals: ['admin.not-found', 'admin.not-permitted'],
      },
      handle: (request) => ({ body: visibleRequest(context, request) }),
    },
    {
      method: 'POST',
      path: '/admin/requests',
      access: 'service-owner',
      about: {
        summary: 'Ask for a registration',
        details: 'Checked as if it was put now, and put when the operator approves it.',
        body: parseAsked,
        answers: { 201: json(REQUEST) },
        refusals: PUT_REFUSALS,
      },
      handle: async (request) => {
        const { kind, id, body, reason } = parseAsked(request.body)
        const subject = readSubject(instance, kind, id)
        const principal = request.principal ?? actingPrincipal()
        if (kind !== 'service') verifyRole(principal.role, 'member-admin')
        verifyScope(principal, subject)
        await put(trial, { kind, subject, body: structuredClone(body) }, request)
        const requestedBy = principal.name
        const asked = { kind, subject, body, reason, requestedBy, person: personOf(principal) }
        return { status: 201, body: ask(context, asked) }
      },
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/approve',
      access: 'admin',
      about: {
        summary: 'Approve a request, and carry it out',
        body: parseDecision,
        answers: { 200: json(REQUEST) },
        refusals: ['admin.own-request', ...PUT_REFUSALS],
      },
      handle: async (request) => {
        const { found, by } = readDecision(context, request)
        // Carried out is published: until then nobody decides otherwise
        if (deciding.has(found.id)) {
          throw new ExchangeError('admin.conflict', `request ${found.id} is being carried out`)
        }
        deciding.add(found.id)
        try {
          await put(real, found, request)
          return { body: decide(context, found, { ...by, state: 'approved' }) }
        } finally {
          deciding.delete(found.id)
        }
      },
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/refuse',
      access: 'admin',
      about: {
        summary: 'Refuse a request',
        body: parseDecision,
        answers: { 200: json(REQUEST) },
        refusals: ['admin.own-request', 'admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const { found, by } = readDecision(context, request)
        if (deciding.has(found.id)) {
          throw new ExchangeError('admin.conflict', `request ${found.id} is being carried out`)
        }
        return { body: decide(context, found, { ...by, state: 'refused' }) }
      },
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/withdraw',
      access: 'service-owner',
      about: {
        summary: 'Withdraw a request',
        body: parseDecision,
        answers: { 200: json(REQUEST) },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const { reason } = parseDecision(request.body)
        const found = visibleRequest(context, request)
        const principal = request.principal ?? actingPrincipal()
        if (principal.role === 'service-owner' && found.person !== personOf(principal)) {
          const detail = `request ${found.id} is of ${found.requestedBy}`
          throw new ExchangeError('admin.not-permitted', detail)
        }
        if (deciding.has(found.id)) {
          throw new ExchangeError('admin.conflict', `request ${found.id} is being carried out`)
        }
        const by = { name: principal.name, reason, state: 'withdrawn' } as const
        return { body: decide(context, found, by) }
      },
    },
  ]
}

/** By the route of the operator, so that the same holds for what is approved as for what is put. */
async function put(
  routes: readonly Route[],
  { kind, subject, body }: Pick<RegistrationRequest, 'kind' | 'subject' | 'body'>,
  request: ApiRequest,
): Promise<void> {
  const { path, params } = KINDS[kind]
  const whole = path + params.map((name) => `:${name}`).join('/')
  const route = routes.find((each) => each.method === 'PUT' && each.path === whole)
  if (route === undefined) throw unknown(`way to put ${kind} ${subject}`)
  const parts = subject.split('/').slice(1)
  const named = Object.fromEntries(params.map((name, i) => [name, parts[i] ?? '']))
  await route.handle({ ...request, params: named, query: new URLSearchParams(), body })
}

/** @throws ExchangeError `admin.own-request`, `admin.conflict`, `admin.not-found`. */
function readDecision(
  { db }: CatalogueContext,
  { params, body, principal = actingPrincipal() }: ApiRequest,
) {
  const { reason } = parseDecision(body)
  const found = existingRequest(db, params.id ?? '')
  verifyPending(found)
  verifyOther(principal, found)
  return { found, by: { name: principal.name, reason } }
}

/** Another key of the same person is the same person, and so is one that this person made for somebody. */
function verifyOther(principal: Principal, { id, person, requestedBy }: RegistrationRequest): void {
  const madeBy = principal.madeBy?.normalize('NFC').toLowerCase()
  if (personOf(principal) !== person && madeBy !== person) return
  const detail = `request ${id} is of ${requestedBy}, who stands behind this credential too`
  throw new ExchangeError('admin.own-request', detail)
}

function visibleRequest(
  { db }: CatalogueContext,
  { params, principal = actingPrincipal() }: ApiRequest,
): RegistrationRequest {
  const found = existingRequest(db, params.id ?? '')
  verifyScope(principal, found.subject)
  return found
}

function readSubject(instance: string, kind: RequestKind, id: string): string {
  const { params } = KINDS[kind]
  const parts = id.split('/')
  if (parts[0] !== instance || parts.length !== params.length + 1) {
    throw invalid(
      'id',
      `a ${kind} is ${[instance, ...params.map((p) => p.toUpperCase())].join('/')}`,
    )
  }
  try {
    return parts.map((part) => checkPart(part)).join('/')
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw invalid('id', cause.message, cause)
  }
}

function readState({ query }: ApiRequest): RequestState | undefined {
  const text = query.get('state')
  if (text === null) return undefined
  const state = REQUEST_STATES.find((each) => each === text)
  if (state === undefined) throw invalid('state', `one of ${REQUEST_STATES.join(', ')}`)
  return state
}
