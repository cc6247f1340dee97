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
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { displayText, readClientIds, readPart } from './input.ts'
import { clientsOf, replaceClients } from './listed-clients.ts'

export interface GroupView {
  readonly code: string
  readonly title: string
  readonly members: string[]
}

const GROUP = named('Group', object({ code: text, title: text, members: listOf(text) }))

const PATH = '/admin/groups/:code'

const parseGroup = bodyParser<{ title: string; members: string[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['title', 'members'],
  properties: {
    title: displayText,
    members: { type: 'array', maxItems: 10_000, items: { type: 'string' } },
  },
})

export function createGroupRoutes({ db, changes }: CatalogueContext): Route[] {
  const codeOf = ({ params }: ApiRequest): string => readPart(params, 'code')
  return [
    {
      method: 'GET',
      path: '/admin/groups',
      access: 'reader',
      about: {
        summary: 'Groups of clients',
        answers: { 200: json(object({ groups: listOf(GROUP) })) },
      },
      handle: () => ({ body: { groups: listGroups(db) } }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Put a group of clients',
        body: parseGroup,
        answers: putAnswers(GROUP),
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const code = codeOf(request)
        const { title, members } = parseGroup(request.body)
        const clients = readClientIds('members', members)
        return changes.put({
          action: 'put-group',
          subject: `group ${code}`,
          read: () => findGroup(db, code),
          apply: () => {
            db.run(
              `INSERT INTO client_group VALUES (?, ?)
               ON CONFLICT DO UPDATE SET title = excluded.title`,
              code,
              title,
            )
            replaceClients(db, 'groupCode', code, clients)
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Remove a group of clients',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        const code = codeOf(request)
        return changes.remove({
          action: 'delete-group',
          subject: `group ${code}`,
          read: () => findGroup(db, code),
          apply: () => db.run('DELETE FROM client_group WHERE code = ?', code),
        })
      },
    },
  ]
}

function listGroups(db: Database): GroupView[] {
  return db
    .all<{ code: string }>('SELECT code FROM client_group ORDER BY code')
    .flatMap(({ code }) => findGroup(db, code) ?? [])
}

function findGroup(db: Database, code: string): GroupView | undefined {
  const row = db.get<{ title: string }>('SELECT title FROM client_group WHERE code = ?', code)
  return row && { code, title: row.title, members: clientsOf(db, 'groupCode', code) }
}
