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
import { unknown } from './changes.ts'
import {
  CERTIFICATE,
  certificateRoutes,
  certificatesOf,
  type CertificateView,
} from './certificates.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { refuseDependents } from './dependents.ts'
import { displayText, invalid, readPathId } from './input.ts'

export interface MemberView {
  readonly id: string
  readonly name: string
  /** Signing certificates. */
  readonly certificates: CertificateView[]
}

const MEMBER = named('Member', object({ id: text, name: text, certificates: listOf(CERTIFICATE) }))

const PATH = '/admin/members/:class/:member'

const parseMember = bodyParser<{ name: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: displayText },
})

export function createMemberRoutes(context: CatalogueContext): Route[] {
  const { db, instance, memberClasses, changes } = context
  const idOf = ({ params }: ApiRequest): string => readPathId(instance, params, ['class', 'member'])
  return [
    {
      method: 'GET',
      path: '/admin/members',
      access: 'reader',
      about: { summary: 'Members', answers: { 200: json(object({ members: listOf(MEMBER) })) } },
      handle: () => ({ body: { members: listMembers(db) } }),
    },
    {
      method: 'GET',
      path: PATH,
      access: 'reader',
      about: { summary: 'A member', answers: { 200: json(MEMBER) }, refusals: ['admin.not-found'] },
      handle: (request) => ({ body: existingMember(db, idOf(request)) }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'admin',
      about: { summary: 'Put a member', body: parseMember, answers: putAnswers(MEMBER) },
      handle: (request) => {
        const id = idOf(request)
        const memberClass = request.params.class ?? ''
        if (!memberClasses.includes(memberClass)) {
          throw invalid('class', `${memberClass} is not one of ${memberClasses.join(', ')}`)
        }
        const { name } = parseMember(request.body)
        return changes.put({
          action: 'put-member',
          subject: `member ${id}`,
          read: () => findMember(db, id),
          apply: () =>
            db.run(
              'INSERT INTO member VALUES (?, ?) ON CONFLICT DO UPDATE SET name = excluded.name',
              id,
              name,
            ),
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Remove a member',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-member',
          subject: `member ${id}`,
          read: () => findMember(db, id),
          apply: () => {
            refuseDependents(db, 'member', id)
            db.run('DELETE FROM member WHERE id = ?', id)
          },
        })
      },
    },
    ...certificateRoutes(context, {
      path: PATH,
      owner: 'member',
      purpose: 'signing',
      idOf,
      identityOf: (params) => ({
        instance,
        memberClass: params.class ?? '',
        member: params.member ?? '',
      }),
      refuseUnknown: (id) => existingMember(db, id),
    }),
  ]
}

function listMembers(db: Database): MemberView[] {
  return db
    .all<{ id: string; name: string }>('SELECT id, name FROM member ORDER BY id')
    .map(({ id, name }) => ({ id, name, certificates: certificatesOf(db, 'member', id) }))
}

function findMember(db: Database, id: string): MemberView | undefined {
  const row = db.get<{ name: string }>('SELECT name FROM member WHERE id = ?', id)
  return row && { id, name: row.name, certificates: certificatesOf(db, 'member', id) }
}

/** @throws ExchangeError `admin.not-found`. */
export function existingMember(db: Database, id: string): MemberView {
  const member = findMember(db, id)
  if (member === undefined) throw unknown(`member ${id}`)
  return member
}
