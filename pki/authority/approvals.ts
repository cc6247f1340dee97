import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CertificateKind } from '../identity.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import type { Journal } from './journal.ts'

export interface PendingRequest {
  readonly id: number
  readonly state: 'pending' | 'approved' | 'rejected'
  /** Id of the code it came with. */
  readonly code: string
  readonly kind: CertificateKind
  /** JSON of the identity that the code is bound to. */
  readonly identity: string
  /** base64url of SHA-256 over the public key: to be compared with what the asker reads out. */
  readonly keyThumbprint: string
  readonly remoteAddress: string
  readonly askedAt: string
  readonly decidedAt?: string
  readonly reason?: string
}

/** Enrolments that need the operator's word beside the right code. */
export interface Approvals {
  /**
   * Notes a request, unless it is noted, and tells what the operator said of it.
   *
   * @throws ExchangeError `enrolment.rejected`
   */
  readonly ask: (request: {
    readonly order: number
    readonly csrDigest: string
    readonly keyThumbprint: string
    readonly remoteAddress: string
    readonly subject: string
  }) => 'pending' | 'approved'
  readonly list: () => PendingRequest[]
  readonly pending: () => number
  /** @throws ExchangeError `admin.not-found`, `admin.conflict` for one that is decided. */
  readonly approve: (id: number) => PendingRequest
  /** The code may be used again, by another request. @throws as approve does. */
  readonly reject: (id: number, reason: string) => PendingRequest
}

const SELECT = `
SELECT request.id, request.state, code_order.code, code_order.kind, code_order.identity,
       keyThumbprint, remoteAddress, askedAt, decidedAt, reason
FROM request JOIN code_order ON code_order.id = request.codeOrder`

export function createApprovals(deps: {
  readonly db: Database
  readonly journal: Journal
  readonly clock: Clock
}): Approvals {
  const { db, journal, clock } = deps
  const read = (id: number): PendingRequest => {
    const found = db.get<PendingRequest>(`${SELECT} WHERE request.id = ?`, id)
    if (found === undefined) throw new ExchangeError('admin.not-found', `there is no request ${id}`)
    return withoutNull(found)
  }
  const decide = (id: number, state: 'approved' | 'rejected', reason?: string): PendingRequest => {
    const { state: before } = read(id)
    if (before !== 'pending')
      throw new ExchangeError('admin.conflict', `request ${id} is ${before}`)
    db.transaction(() => {
      db.run(
        'UPDATE request SET state = ?, decidedAt = ?, reason = ? WHERE id = ?',
        state,
        clock().toISOString(),
        reason ?? null,
        id,
      )
      if (state === 'rejected') {
        // Whoever stole the code must not have spent it.
        db.run(
          `UPDATE code_order SET csrDigest = NULL WHERE serial IS NULL
           AND id = (SELECT codeOrder FROM request WHERE id = ?)`,
          id,
        )
      }
      const detail = reason === undefined ? {} : { detail: reason }
      journal.append({ action: `request-${state}`, subject: String(id), ...detail })
    })
    return read(id)
  }
  return {
    ask: ({ order, csrDigest, keyThumbprint, remoteAddress, subject }) => {
      const known = db.get<{ state: PendingRequest['state']; reason: string | null }>(
        'SELECT state, reason FROM request WHERE codeOrder = ? AND csrDigest = ?',
        order,
        csrDigest,
      )
      if (known?.state === 'rejected') {
        throw new ExchangeError('enrolment.rejected', `the operator says: ${known.reason}`)
      }
      if (known !== undefined) return known.state
      db.run(
        `INSERT INTO request (codeOrder, csrDigest, keyThumbprint, remoteAddress, askedAt, state)
         VALUES (?, ?, ?, ?, ?, 'pending')`,
        order,
        csrDigest,
        keyThumbprint,
        remoteAddress,
        clock().toISOString(),
      )
      journal.append({ action: 'request-received', subject, remoteAddress })
      return 'pending'
    },
    list: () => db.all<PendingRequest>(`${SELECT} ORDER BY request.id`).map(withoutNull),
    pending: () =>
      db.get<{ n: number }>("SELECT count(*) AS n FROM request WHERE state = 'pending'")!.n,
    approve: (id) => decide(id, 'approved'),
    reject: (id, reason) => decide(id, 'rejected', reason),
  }
}

function withoutNull<T extends object>(row: T): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as T
}
