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
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { refuseDependents } from './dependents.ts'
import { displayText, readPathId } from './input.ts'
import { existingMember } from './members.ts'

export interface SubsystemView {
  readonly id: string
  readonly name: string
}

const SUBSYSTEM = named('Subsystem', object({ id: text, name: text }))

const PATH = '/admin/subsystems/:class/:member/:subsystem'

const parseSubsystem = bodyParser<{ name: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: displayText },
})

export function createSubsystemRoutes({ db, instance, changes }: CatalogueContext): Route[] {
  const idOf = ({ params }: ApiRequest): string =>
    readPathId(instance, params, ['class', 'member', 'subsystem'])
  return [
    {
      method: 'GET',
      path: '/admin/subsystems',
      access: 'reader',
      about: {
        summary: 'Subsystems',
        answers: { 200: json(object({ subsystems: listOf(SUBSYSTEM) })) },
      },
      handle: () => ({
        body: { subsystems: db.all<SubsystemView>('SELECT id, name FROM subsystem ORDER BY id') },
      }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'member-admin',
      about: {
        summary: 'Put a subsystem',
        body: parseSubsystem,
        answers: putAnswers(SUBSYSTEM),
        refusals: ['admin.approval-needed', 'admin.not-found'],
      },
      handle: (request) => {
        const id = idOf(request)
        const member = readPathId(instance, request.params, ['class', 'member'])
        const { name } = parseSubsystem(request.body)
        return changes.put({
          action: 'put-subsystem',
          subject: `subsystem ${id}`,
          read: () => findSubsystem(db, id),
          apply: () => {
            existingMember(db, member)
            db.run(
              `INSERT INTO subsystem VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET name = excluded.name`,
              id,
              member,
              request.params.subsystem ?? '',
              name,
            )
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'member-admin',
      about: {
        summary: 'Remove a subsystem',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-subsystem',
          subject: `subsystem ${id}`,
          read: () => findSubsystem(db, id),
          apply: () => {
            refuseDependents(db, 'subsystem', id)
            db.run('DELETE FROM subsystem WHERE id = ?', id)
          },
        })
      },
    },
  ]
}

function findSubsystem(db: Database, id: string): SubsystemView | undefined {
  return db.get('SELECT id, name FROM subsystem WHERE id = ?', id)
}

/** @throws ExchangeError `admin.not-found`. */
export function existingSubsystem(db: Database, id: string): SubsystemView {
  const subsystem = findSubsystem(db, id)
  if (subsystem === undefined) throw unknown(`subsystem ${id}`)
  return subsystem
}
