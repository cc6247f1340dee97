import { canonicalJson } from '../protocol/canonical-json.ts'
import { errorEntry } from '../protocol/errors.ts'
import type { createApi, Principal, Refusal, Route } from '../runtime/admin-api.ts'
import {
  auditHash,
  EMPTY_HEAD,
  type AuditEntry,
  type AuditHead,
  type AuditRow,
} from '../runtime/audit-chain.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { actAs } from './acting.ts'

type Told = Pick<AuditEntry, 'from' | 'method' | 'path' | 'result' | 'status'>

const ROWS_IN_ANSWER = 500
const MAX_PATH = 500
/** Strangers do not fill the disk: the rest of a minute is counted. */
const STRANGERS_PER_MINUTE = 60
const MINUTE_MS = 60_000

/**
 * Puts every call that changes something, and every one that is refused, into the trail: what was done in the
 * transaction that did it, the rest before it is answered.
 */
export function createAuditTrail(deps: {
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
}): Required<Pick<Parameters<typeof createApi>[0], 'around' | 'onRefusal'>> {
  const { db, clock, logger } = deps
  const strangers = { minute: 0, listed: 0, omitted: 0 }
  const append = (principal: Principal | undefined, told: Told): void => {
    const { omitted } = strangers
    const entry = { at: clock().toISOString(), ...whoIs(principal), ...told }
    appendEntry(db, omitted > 0 ? { ...entry, omitted } : entry)
    strangers.omitted = 0
  }
  const isTooMany = (): boolean => {
    const minute = Math.floor(clock().getTime() / MINUTE_MS)
    if (minute !== strangers.minute) Object.assign(strangers, { minute, listed: 0 })
    if (++strangers.listed <= STRANGERS_PER_MINUTE) return false
    strangers.omitted++
    return true
  }
  return {
    around: async ({ route, request, path }, handle) => {
      const { principal, remoteAddress: from } = request
      if (!isAct(route)) return handle()
      let isRecorded = false
      const done = { from, method: route.method, path: path.slice(0, MAX_PATH) }
      const record = (status: number): void => {
        if (!isRecorded) append(principal, { ...done, result: 'ok', status })
        isRecorded = true
      }
      const reply = await actAs({ principal, record: () => record(200) }, handle)
      if (!isRecorded) db.transaction(() => record(reply.status ?? (reply.body ? 200 : 204)))
      return reply
    },
    onRefusal: ({ principal, access, code, method, path, remoteAddress: from }: Refusal) => {
      const isPublic = access === undefined || (access === 'public' && path !== REGISTRATIONS)
      if (isPublic || (principal === undefined && isTooMany())) return
      const { status } = errorEntry(code)
      const told = { from, method, path: path.slice(0, MAX_PATH), result: code, status }
      try {
        db.transaction(() => append(principal, told))
      } catch (err) {
        logger.error({ err, ...told }, 'a refusal is missing in the audit trail')
      }
    },
  }
}

/** Gateways have no credential here: what they may register, their signature says. */
const REGISTRATIONS = '/registrations'

const isAct = ({ method, access, path }: Route): boolean =>
  method !== 'GET' && (access !== 'public' || path === REGISTRATIONS)

function whoIs(principal: Principal | undefined): Partial<AuditEntry> {
  if (principal === undefined) return {}
  const { name, role, credential = 'token of the program', person = 'operator' } = principal
  return { who: name, role, credential, person }
}

/** To be called in a transaction. */
function appendEntry(db: Database, told: Omit<AuditEntry, 'position' | 'previous'>): void {
  const { position: last, hash: previous } = auditHead(db)
  const position = last + 1
  const entry: AuditEntry = { ...told, position, previous, path: told.path.toWellFormed() }
  const hash = auditHash(entry)
  db.run('INSERT INTO audit_act VALUES (?, ?, ?)', position, canonicalJson(entry), hash)
  db.run(
    `INSERT INTO audit_head VALUES (1, ?, ?)
     ON CONFLICT DO UPDATE SET position = excluded.position, hash = excluded.hash`,
    position,
    hash,
  )
}

export function auditHead(db: Database): AuditHead {
  return db.get<AuditHead>('SELECT position, hash FROM audit_head') ?? EMPTY_HEAD
}

export function readTrail(db: Database, after: number): AuditRow[] {
  return db
    .all<{ entry: string; hash: string }>(
      `SELECT entry, hash FROM audit_act WHERE position > ? ORDER BY position LIMIT ${ROWS_IN_ANSWER}`,
      after,
    )
    .map(({ entry, hash }) => ({ entry: JSON.parse(entry) as AuditEntry, hash }))
}
