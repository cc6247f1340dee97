import { canonicalJson } from '../protocol/canonical-json.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { readState } from './snapshot-state.ts'

/** What every snapshot says of itself; the rest is state. */
export interface SnapshotTerms {
  readonly instance: string
  readonly lifetimeMs: number
}
export interface UnsignedSnapshot {
  readonly number: number
  readonly payload: string
}
export interface SignedSnapshot {
  readonly number: number
  readonly issuedAt: string
  readonly expiresAt: string
  readonly jws: string
}

const KEPT_SNAPSHOTS = 1000

/**
 * Gives the state of this moment the next number, inside the transaction that made it: number and
 * payload are durable together, so that after a crash no number can come to stand for two states.
 *
 * @param above a number that gateways have had from elsewhere: this one is higher.
 * @throws ExchangeError `admin.invalid` when gateways would refuse the snapshot for its size.
 */
export function appendSnapshot(
  db: Database,
  terms: SnapshotTerms,
  now: Date,
  above: number = 0,
): number {
  const { last } = db.get<{ last: number }>(
    'SELECT coalesce(max(number), 0) AS last FROM snapshot',
  )!
  const number = Math.max(last, above) + 1
  const issuedAt = now.toISOString()
  const expiresAt = new Date(now.getTime() + terms.lifetimeMs).toISOString()
  const { instance } = terms
  const payload = canonicalJson({
    version: 1,
    instance,
    number,
    issuedAt,
    expiresAt,
    ...readState(db),
  } satisfies Snapshot)
  // base64url makes four bytes of three; the last part is for header and signature
  if ((Buffer.byteLength(payload) * 4) / 3 + 1024 > LIMITS.snapshotBytes) {
    throw new ExchangeError(
      'admin.invalid',
      `the snapshot would be larger than the ${LIMITS.snapshotBytes} bytes that gateways accept`,
    )
  }
  db.run('INSERT INTO snapshot VALUES (?, ?, ?, ?, NULL)', number, issuedAt, expiresAt, payload)
  db.run('DELETE FROM snapshot WHERE number <= ?', number - KEPT_SNAPSHOTS)
  return number
}

/** The oldest first. */
export function unsignedSnapshots(db: Database): UnsignedSnapshot[] {
  return db.all('SELECT number, payload FROM snapshot WHERE jws IS NULL ORDER BY number')
}

export function storeSignature(db: Database, number: number, jws: string): void {
  db.run('UPDATE snapshot SET jws = ?, payload = NULL WHERE number = ?', jws, number)
}

export function newestSigned(db: Database): SignedSnapshot | undefined {
  return db.get(
    `SELECT number, issuedAt, expiresAt, jws FROM snapshot WHERE jws IS NOT NULL
     ORDER BY number DESC LIMIT 1`,
  )
}
