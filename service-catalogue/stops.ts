import type { SnapshotStop } from '../protocol/snapshot.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  named,
  NOTHING,
  object,
  putAnswers,
  text,
  time,
} from '../runtime/route-description.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { CatalogueContext } from './context.ts'
import { displayText, invalid, readPathId } from './input.ts'
import { readStops } from './listed-stops.ts'

const parseStop = bodyParser<{ reason: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: displayText },
})

const STOP = named('Stop', object({ subject: text, since: time, reason: text }))

/** A member, a subsystem, a service. */
const SUBJECTS = [
  ['class', 'member'],
  ['class', 'member', 'subsystem'],
  ['class', 'member', 'subsystem', 'service'],
] as const

/** Emergency stops, set by the operator and followed by every gateway (protocol/README.md §13.6). */
export function createStopRoutes(context: CatalogueContext): Route[] {
  const { db } = context
  return [
    {
      method: 'GET',
      path: '/admin/stops',
      access: 'admin',
      about: {
        summary: 'Emergency stops',
        answers: { 200: json(object({ stops: listOf(STOP) })) },
      },
      handle: () => ({ body: { stops: readStops(db) } }),
    },
    ...SUBJECTS.flatMap((names) => subjectRoutes(context, names)),
  ]
}

function subjectRoutes(
  { db, instance, changes, clock }: CatalogueContext,
  names: readonly string[],
): Route[] {
  const path = `/admin/stops/${names.map((name) => `:${name}`).join('/')}`
  const subjectOf = ({ params }: ApiRequest): string => readPathId(instance, params, names)
  return [
    {
      method: 'PUT',
      path,
      access: 'admin',
      about: { summary: `Stop a ${names.at(-1)}`, body: parseStop, answers: putAnswers(STOP) },
      handle: (request) => {
        const subject = subjectOf(request)
        const { reason } = parseStop(request.body)
        return changes.put({
          action: 'put-stop',
          subject: `stop of ${subject}`,
          read: () => findStop(db, subject),
          apply: () => {
            // A name that is mistyped stops nobody, and somebody would rely on it.
            if (!isRegistered(db, subject, names.length)) {
              throw invalid('subject', `${subject} is not registered`)
            }
            db.run(
              `INSERT INTO stop (subject, since, reason) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET reason = excluded.reason`,
              subject,
              clock().toISOString(),
              reason,
            )
          },
        })
      },
    },
    {
      method: 'DELETE',
      path,
      access: 'admin',
      about: {
        summary: `Lift the stop of a ${names.at(-1)}`,
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        const subject = subjectOf(request)
        return changes.remove({
          action: 'delete-stop',
          subject: `stop of ${subject}`,
          read: () => findStop(db, subject),
          apply: () => db.run('DELETE FROM stop WHERE subject = ?', subject),
        })
      },
    },
  ]
}

function findStop(db: Database, subject: string): SnapshotStop | undefined {
  return db.get<{ subject: string; since: string; reason: string }>(
    'SELECT subject, since, reason FROM stop WHERE subject = ?',
    subject,
  )
}

/** @param depth how many parts there are after the instance. */
function isRegistered(db: Database, subject: string, depth: number): boolean {
  const table = ['member', 'subsystem', 'service'][depth - 2]!
  return db.get(`SELECT 1 AS found FROM ${table} WHERE id = ?`, subject) !== undefined
}
