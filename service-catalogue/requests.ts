import { canonicalJson } from '../protocol/canonical-json.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { unknown, type Named } from './changes.ts'
import type { CatalogueContext } from './context.ts'

export const REQUEST_KINDS = ['member', 'subsystem', 'gateway', 'service'] as const
export type RequestKind = (typeof REQUEST_KINDS)[number]
export const REQUEST_STATES = ['pending', 'approved', 'refused', 'withdrawn'] as const
export type RequestState = (typeof REQUEST_STATES)[number]

/** What somebody wants registered. */
export interface RegistrationRequest {
  readonly position: number
  readonly id: string
  readonly kind: RequestKind
  /** Identifier, decoded form. */
  readonly subject: string
  /** As it would be put. */
  readonly body: unknown
  readonly reason: string
  readonly state: RequestState
  /** By name, for people. */
  readonly requestedBy: string
  /** See personOf. */
  readonly person: string
  readonly requestedAt: string
  readonly decidedBy?: string
  readonly decidedAt?: string
  /** The operator's reason. */
  readonly decision?: string
}
export type Asked = Pick<
  RegistrationRequest,
  'kind' | 'subject' | 'body' | 'reason' | 'requestedBy' | 'person'
>

type Row = Omit<RegistrationRequest, 'body' | 'decidedBy' | 'decidedAt' | 'decision'> & {
  readonly body: string
  readonly decidedBy: string | null
  readonly decidedAt: string | null
  readonly decision: string | null
}

/** Of one person, so that nobody's queue is filled by somebody else. */
const MAX_PENDING = 100

/**
 * Puts it into the queue, with its event.
 *
 * @param actor when it is nobody who called by a credential.
 * @throws ExchangeError `admin.conflict` when the same is asked for already, or too much is.
 */
export function ask(
  { db, changes, clock }: Pick<CatalogueContext, 'db' | 'changes' | 'clock'>,
  asked: Asked,
  actor?: string,
): RegistrationRequest {
  const { kind, subject, body, reason, requestedBy, person } = asked
  const id = crypto.randomUUID()
  const named = eventOf('request', asked)
  changes.note(actor === undefined ? named : { ...named, actor }, () => {
    const other = findPending(db, kind, subject)
    if (other) {
      const detail = `${kind} ${subject} is asked for already, by ${other.requestedBy}: ${other.id}`
      throw new ExchangeError('admin.conflict', detail)
    }
    const waiting = db.get<{ count: number }>(
      `SELECT count(*) AS count FROM request WHERE state = 'pending' AND person = ?`,
      person,
    )
    if (waiting!.count >= MAX_PENDING) {
      throw new ExchangeError('admin.conflict', `${MAX_PENDING} requests of yours wait already`)
    }
    db.run(
      `INSERT INTO request (id, kind, subject, body, reason, state, requestedBy, person, requestedAt)
       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?)`,
      ...[id, kind, subject, JSON.stringify(body), reason, requestedBy, person],
      clock().toISOString(),
    )
  })
  return existingRequest(db, id)
}

/** @throws ExchangeError `admin.conflict` when it was decided before. */
export function decide(
  { db, changes, clock }: Pick<CatalogueContext, 'db' | 'changes' | 'clock'>,
  request: RegistrationRequest,
  by: {
    readonly state: Exclude<RequestState, 'pending'>
    readonly name: string
    readonly reason: string
    /** When it is nobody who called by a credential. */
    readonly actor?: string
  },
): RegistrationRequest {
  const verb = { approved: 'approve', refused: 'refuse', withdrawn: 'withdraw' }[by.state]
  const named = eventOf(verb, request)
  changes.note(by.actor === undefined ? named : { ...named, actor: by.actor }, () => {
    verifyPending(existingRequest(db, request.id))
    db.run(
      'UPDATE request SET state = ?, decidedBy = ?, decidedAt = ?, decision = ? WHERE id = ?',
      ...[by.state, by.name, clock().toISOString(), by.reason, request.id],
    )
  })
  return existingRequest(db, request.id)
}

/** @throws ExchangeError `admin.conflict`. */
export function verifyPending({ id, state, decidedBy, decidedAt }: RegistrationRequest): void {
  if (state === 'pending') return
  const detail = `request ${id} was ${state} by ${decidedBy} at ${decidedAt}`
  throw new ExchangeError('admin.conflict', detail)
}

const eventOf = (verb: string, { kind, subject }: Pick<Asked, 'kind' | 'subject'>): Named => ({
  action: `${verb}-${kind}`,
  subject: `${kind} ${subject}`,
})

export function listRequests(
  db: Database,
  asked: { readonly after: number; readonly state: RequestState | undefined; limit: number },
): RegistrationRequest[] {
  return db
    .all<Row>(
      `SELECT * FROM request WHERE position > ?1 AND (?2 IS NULL OR state = ?2)
       ORDER BY position LIMIT ?3`,
      ...[asked.after, asked.state ?? null, asked.limit],
    )
    .map(toRequest)
}

/** @throws ExchangeError `admin.not-found`. */
export function existingRequest(db: Database, id: string): RegistrationRequest {
  const row = db.get<Row>('SELECT * FROM request WHERE id = ?', id)
  if (row === undefined) throw unknown(`request ${id}`)
  return toRequest(row)
}

export function findPending(
  db: Database,
  kind: RequestKind,
  subject: string,
): RegistrationRequest | undefined {
  const row = db.get<Row>(
    `SELECT * FROM request WHERE kind = ? AND subject = ? AND state = 'pending'`,
    kind,
    subject,
  )
  return row && toRequest(row)
}

/** The last that was decided. */
export function findDecided(
  db: Database,
  kind: RequestKind,
  subject: string,
): RegistrationRequest | undefined {
  const row = db.get<Row>(
    `SELECT * FROM request WHERE kind = ? AND subject = ? AND state <> 'pending'
     ORDER BY position DESC LIMIT 1`,
    kind,
    subject,
  )
  return row && toRequest(row)
}

export function isSameBody({ body }: RegistrationRequest, other: unknown): boolean {
  return canonicalJson(body) === canonicalJson(other)
}

function toRequest({ body, decidedBy, decidedAt, decision, ...row }: Row): RegistrationRequest {
  return {
    ...row,
    body: JSON.parse(body) as unknown,
    ...(decidedBy === null ? {} : { decidedBy }),
    ...(decidedAt === null ? {} : { decidedAt }),
    ...(decision === null ? {} : { decision }),
  }
}
