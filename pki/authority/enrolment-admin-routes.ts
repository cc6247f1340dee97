import { ExchangeError } from '../../protocol/errors.ts'
import type { Route } from '../../runtime/admin-api.ts'
import { formatIdentity, type CertificateIdentity } from '../identity.ts'
import type { PendingRequest } from './approvals.ts'
import type { Authority } from './authority.ts'
import { parseCodeBody, parseRejectBody, withoutNull } from './bodies.ts'
import type { Code } from './code-book.ts'

const DEFAULT_CODE_SECONDS = 7 * 86_400

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
      handle: () => ({
        body: { codes: codes.list().map((code) => describeCode(code, clock())) },
      }),
    },
    {
      method: 'POST',
      path: '/admin/codes',
      access: 'admin',
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
      handle: ({ params }) => {
        codes.remove(params.id!)
        return {}
      },
    },
    {
      method: 'GET',
      path: '/admin/requests',
      access: 'admin',
      handle: () => ({ body: { requests: approvals.list().map(describeRequest) } }),
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/approve',
      access: 'admin',
      handle: ({ params }) => ({ body: describeRequest(approvals.approve(readId(params))) }),
    },
    {
      method: 'POST',
      path: '/admin/requests/:id/reject',
      access: 'admin',
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
