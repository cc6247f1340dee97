import type { Route } from '../runtime/admin-api.ts'
import { json, listOf, named, object, text, time, whole } from '../runtime/route-description.ts'
import { FARTHEST_JUMP, type Behind } from './gateway-reports.ts'
import { registeredCertificates } from './approved-authorities.ts'
import { lastChange } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { WITNESS_HEALTH } from '../witness/witness-routes.ts'
import { auditHead, readTrail } from './audit-trail.ts'
import { CURSOR, readCursor } from './input.ts'

/** One administrative change. */
export interface CatalogueEvent {
  readonly position: number
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  /** The first snapshot with the change. */
  readonly snapshotNumber: number
}

const EVENT = named(
  'Event',
  object({
    position: whole,
    at: time,
    actor: text,
    action: text,
    subject: text,
    snapshotNumber: { ...whole, description: 'The first snapshot with the change.' },
  }),
)
const ENTRY = object(
  {
    position: whole,
    previous: { ...text, description: 'Digest of the entry before.' },
    at: time,
    from: text,
    method: text,
    path: text,
    result: { ...text, description: '`ok`, or the code of the refusal.' },
    status: whole,
  },
  { who: text, role: text, credential: text, person: text, omitted: whole },
)
const HEAD = object({ position: whole, hash: text })
const TRAIL = object({
  rows: listOf(object({ entry: ENTRY, hash: text })),
  next: whole,
  head: HEAD,
})
const COUNTED = [
  ...['authorities', 'timeStampingAuthorities', 'members', 'subsystems', 'gateways'],
  ...['services', 'groups'],
]
const STATUS = named(
  'CatalogueStatus',
  object(
    {
      program: { const: 'catalogue' },
      instance: text,
      snapshotNumber: whole,
      lastChange: { ...whole, description: 'Position of the newest in `/admin/events`.' },
      issuedAt: time,
      expiresAt: time,
      anchor: object({ number: whole }),
      warnings: listOf(text),
      counts: object(Object.fromEntries(COUNTED.map((name) => [name, whole]))),
      witness: WITNESS_HEALTH,
      expiringCertificates: listOf(
        object({ owner: text, purpose: text, thumbprint: text, notAfter: time }),
      ),
    },
    {
      behind: object({ gateways: listOf(text) }, { snapshot: whole, anchor: whole }),
    },
  ),
)

const EVENTS_IN_ANSWER = 1000
const EXPIRING_MS = 30 * 24 * 60 * 60_000

/** What administrators look at. */
export function createInspectionRoutes(context: CatalogueContext): Route[] {
  const { db } = context
  return [
    {
      method: 'GET',
      path: '/admin/status',
      access: 'reader',
      about: { summary: 'State of the catalogue', answers: { 200: json(STATUS) } },
      handle: () => ({ body: readStatus(context) }),
    },
    {
      method: 'GET',
      path: '/admin/events',
      access: 'auditor',
      about: {
        summary: 'Administrative changes',
        query: CURSOR,
        answers: { 200: json(object({ events: listOf(EVENT), next: whole })) },
      },
      handle: (request) => {
        const after = readCursor(request)
        const events = db.all<CatalogueEvent>(
          `SELECT * FROM event WHERE position > ? ORDER BY position LIMIT ${EVENTS_IN_ANSWER}`,
          after,
        )
        return { body: { events, next: events.at(-1)?.position ?? after } }
      },
    },
    {
      method: 'GET',
      path: '/admin/audit',
      access: 'auditor',
      about: {
        summary: 'The audit trail, a chain of digests',
        query: CURSOR,
        answers: { 200: json(TRAIL) },
      },
      handle: (request) => {
        const after = readCursor(request)
        const rows = readTrail(db, after)
        const next = rows.at(-1)?.entry.position ?? after
        return { body: { rows, next, head: auditHead(db) } }
      },
    },
  ]
}

function readStatus(context: CatalogueContext): object {
  const { db, instance, clock, publisher, witness, key, reports } = context
  const { number, issuedAt, expiresAt } = publisher.current()
  const behind = reports.behind()
  const before = clock().getTime() + EXPIRING_MS
  return {
    program: 'catalogue',
    instance,
    snapshotNumber: number,
    lastChange: lastChange(db),
    issuedAt: issuedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    anchor: { number: key.anchorNumber },
    behind,
    warnings: behind === undefined ? [] : behindWords(behind, number, key.anchorNumber),
    counts: {
      authorities: count(db, 'authority'),
      timeStampingAuthorities: count(db, 'time_stamping_authority'),
      members: count(db, 'member'),
      subsystems: count(db, 'subsystem'),
      gateways: count(db, 'gateway'),
      services: count(db, 'service'),
      groups: count(db, 'client_group'),
    },
    witness: witness.describe(),
    expiringCertificates: registeredCertificates(db)
      .filter(({ certificate }) => certificate.notAfter.getTime() < before)
      .map(({ owner, purpose, certificate: { thumbprint, notAfter } }) => ({
        owner,
        purpose,
        thumbprint,
        notAfter: notAfter.toISOString(),
      })),
  }
}

function count(db: Database, table: string): number {
  return db.get<{ count: number }>(`SELECT count(*) AS count FROM ${table}`)!.count
}

function behindWords({ snapshot, anchor, gateways }: Behind, own: number, ownAnchor: number) {
  const who = gateways.length === 1 ? gateways[0] : `${gateways.length} gateways, as ${gateways[0]}`
  const isOurs = (snapshot ?? 0) <= own + FARTHEST_JUMP
  const todo = isOurs
    ? `after a restored backup, spean catalogue resume --from ${snapshot}`
    : 'no backup is so far behind; where the key was stolen, spean catalogue anchor replace (docs/anchor.md)'
  return [
    ...(snapshot === undefined
      ? []
      : [`${who} had snapshot ${snapshot}, this catalogue is at ${own} and is refused: ${todo}`]),
    ...(anchor === undefined
      ? []
      : [
          `${who} had anchor ${anchor}, this catalogue is at ${ownAnchor}: restore keys and anchors (docs/anchor.md)`,
        ]),
  ]
}
