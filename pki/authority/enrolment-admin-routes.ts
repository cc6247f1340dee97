import { ExchangeError } from '../../protocol/errors.ts'
import type { Route } from '../../runtime/admin-api.ts'
import {
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
import { formatIdentity, type CertificateIdentity } from '../identity.ts'
import type { PendingRequest } from './approvals.ts'
import type { Authority } from './authority.ts'
import { parseCodeBody, parseRejectBody, withoutNull } from './bodies.ts'
import type { Code } from './code-book.ts'

const DEFAULT_CODE_SECONDS = 7 * 86_400

const CODE = named(
  'Code',
  object(
    {
      id: text,
      state: oneOf('open', 'used', 'expired'),
      madeAt: time,
      expiresAt: time,
      orders: listOf(
        object({ kind: text, identity: text, subjectAltNames: listOf(text) }, { serial: text }),
      ),
    },
    { note: text },
  ),
)
const REQUEST = named(
  'EnrolmentRequest',
  object(
    {
      id: whole,
      state: oneOf('pending', 'approved', 'rejected'),
      code: text,
      kind: text,
      identity: text,
      keyThumbprint: text,
      remoteAddress: text,
      askedAt: time,
    },
    { decidedAt: time, reason: text },
  ),
)

/** One-time codes, and the word of the operator about who came with one. */
export function createEnrolmentAdminRoutes({
  authority,
}: {
  readonly authority: Authority
}): Route[] {
  const { instance, codes, approvals, clock } = authority
  return [
    {
      method: 'GET',
      path: '/admin/codes',
      access: 'admin',
      about: { summary: 'One-time codes', answers: { 200: json(object({ codes: listOf(CODE) })) } },
      handle: () => ({
        body: { codes: codes.list().map((code) => describeCode(code, clock())) },
      }),
    },
    {
      method: 'POST',
      path: '/admin/codes',
      access: 'admin',
      about: {
        summary: 'Make a one-time code',
        details: 'The code is in this answer, and nowhere else.',
        body: parseCodeBody,
        answers: { 201: json(object({ id: text, code: text, expiresAt: time, estUrl: text })) },
      },
      handle: ({ body }) => {
        const { orders, validitySeconds, note } = withoutNull(parseCodeBody(body))
        const lifeMs = (validitySeconds ?? DEFAULT_CODE_SECONDS) * 1000
        const expiresAt = new Date(clock().getTime() + lifeMs)
        const made = codes.make({
          orders: orders.map(({ kind, identity, subjectAltNames }) => ({
            kind,
            identity: { instance, ...withoutNull(identity) },
            subjectAltNames: subjectAltNames ?? [],
          })),
          expiresAt,
          ...(note === undefined ? {} : { note }),
        })
        return { status: 201, body: { ...made, expiresAt, estUrl: authority.estUrl() } }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/codes/:id',
      access: 'admin',
      about: {
        summary: 'Take a one-time code back',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params }) => {
        codes.remove(params.id!)
        return {}
      },
    },
    {
      method: 'GET',
      path: '/admin/requests',
      access: 'admin',
      about: {
        summary: 'Enrolments, and what was said of them',
        answers: { 200: json(object({ requests: listOf(REQUEST) })) },
      },
      handle: () => ({ body: { requests: approvals.list().map(describeRequest) } }),
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/approve',
      access: 'admin',
      about: {
        summary: 'Approve an enrolment',
        answers: { 200: json(REQUEST) },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: ({ params }) => ({ body: describeRequest(approvals.approve(readId(params))) }),
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/reject',
      access: 'admin',
      about: {
        summary: 'Reject an enrolment',
        body: parseRejectBody,
        answers: { 200: json(REQUEST) },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: ({ params, body }) => {
        const { reason } = parseRejectBody(body)
        return { body: describeRequest(approvals.reject(readId(params), reason)) }
      },
    },
  ]
}

function readId({ id = '' }: Readonly<Record<string, string>>): number {
  if (/^\d{1,15}$/.test(id)) return Number(id)
  throw new ExchangeError('admin.not-found', `there is no request ${id}`)
}

function describeCode({ id, note, madeAt, expiresAt, orders }: Code, at: Date): object {
  const open = orders.filter(({ serial }) => serial === undefined)
  const state = open.length === 0 ? 'used' : at < expiresAt ? 'open' : 'expired'
  return {
    ...{ id, state, note, madeAt, expiresAt },
    orders: orders.map(({ kind, identity, subjectAltNames, serial }) => ({
      ...{ kind, identity: formatIdentity(identity), subjectAltNames, serial },
    })),
  }
}

function describeRequest(request: PendingRequest): object {
  const identity = formatIdentity(JSON.parse(request.identity) as CertificateIdentity)
  return { ...request, identity }
}
