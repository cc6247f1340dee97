import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  named,
  NOTHING,
  object,
  putAnswers,
  text,
} from '../runtime/route-description.ts'
import {
  CERTIFICATE,
  certificateRoutes,
  certificatesOf,
  type CertificateView,
} from './certificates.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { invalid, readClientIds, readPathId } from './input.ts'
import { clientsOf, replaceClients } from './listed-clients.ts'
import { verifyLogPolicy } from './log-policy.ts'
import { existingMember } from './members.ts'

export interface GatewayView {
  readonly id: string
  /** `https://HOST[:PORT]`. */
  readonly address: string
  /** Members and subsystems it speaks for. */
  readonly clients: string[]
  /** Authentication certificates. */
  readonly certificates: CertificateView[]
}

export const GATEWAY = named(
  'Gateway',
  object({ id: text, address: text, clients: listOf(text), certificates: listOf(CERTIFICATE) }),
)

const PATH = '/admin/gateways/:class/:member/:gateway'

const parseGateway = bodyParser<{ address: string; clients: string[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['address', 'clients'],
  properties: {
    address: { type: 'string', minLength: 1, maxLength: 300 },
    clients: { type: 'array', maxItems: 10_000, items: { type: 'string' } },
  },
})

export function createGatewayRoutes(context: CatalogueContext): Route[] {
  const { db, instance, changes } = context
  const idOf = ({ params }: ApiRequest): string =>
    readPathId(instance, params, ['class', 'member', 'gateway'])
  return [
    {
      method: 'GET',
      path: '/admin/gateways',
      access: 'reader',
      about: { summary: 'Gateways', answers: { 200: json(object({ gateways: listOf(GATEWAY) })) } },
      handle: () => ({ body: { gateways: listGateways(db) } }),
    },
    {
      method: 'GET',
      path: PATH,
      access: 'reader',
      about: {
        summary: 'A gateway',
        answers: { 200: json(GATEWAY) },
        refusals: ['admin.not-found'],
      },
      handle: (request) => ({ body: existingGateway(db, idOf(request)) }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Put a gateway',
        body: parseGateway,
        answers: putAnswers(GATEWAY),
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        const member = readPathId(instance, request.params, ['class', 'member'])
        const body = parseGateway(request.body)
        const address = readOrigin('address', body.address)
        const clients = readClientIds('clients', body.clients)
        return changes.put({
          action: 'put-gateway',
          subject: `gateway ${id}`,
          read: () => findGateway(db, id),
          apply: () => {
            existingMember(db, member)
            db.run(
              `INSERT INTO gateway VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET address = excluded.address`,
              id,
              member,
              address,
            )
            replaceClients(db, 'gateway', id, clients)
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Remove a gateway',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-gateway',
          subject: `gateway ${id}`,
          read: () => findGateway(db, id),
          apply: () => {
            db.run('DELETE FROM gateway WHERE id = ?', id)
            verifyLogPolicy(db)
          },
        })
      },
    },
    ...certificateRoutes(context, {
      path: PATH,
      owner: 'gateway',
      purpose: 'authentication',
      idOf,
      identityOf: (params) => ({
        instance,
        memberClass: params.class ?? '',
        member: params.member ?? '',
        gateway: params.gateway ?? '',
      }),
      refuseUnknown: (id) => existingGateway(db, id),
    }),
  ]
}

/** @throws ExchangeError `admin.invalid` unless the text is an https origin and nothing more. */
export function readOrigin(field: string, text: string): string {
  const url = URL.parse(text)
  const isOrigin =
    url?.protocol === 'https:' && url.href === `${url.origin}/` && !/[/?#]$/.test(text)
  if (!isOrigin) throw invalid(field, 'write https://HOST:PORT, without path, query or user')
  return url.origin
}

function listGateways(db: Database): GatewayView[] {
  return db
    .all<{ id: string; address: string }>('SELECT id, address FROM gateway ORDER BY id')
    .map(({ id, address }) => toView(db, id, address))
}

export function findGateway(db: Database, id: string): GatewayView | undefined {
  const row = db.get<{ address: string }>('SELECT address FROM gateway WHERE id = ?', id)
  return row && toView(db, id, row.address)
}

/** @throws ExchangeError `admin.not-found` */
export function existingGateway(db: Database, id: string): GatewayView {
  const gateway = findGateway(db, id)
  if (gateway === undefined) throw unknown(`gateway ${id}`)
  return gateway
}

function toView(db: Database, id: string, address: string): GatewayView {
  return {
    id,
    address,
    clients: clientsOf(db, 'gateway', id),
    certificates: certificatesOf(db, 'gateway', id),
  }
}
