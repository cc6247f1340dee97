import { ExchangeError } from '../protocol/errors.ts'
import { LIMITS } from '../protocol/limits.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { composeSnapshot, snapshotSizeBound } from './snapshot-text.ts'

/** What every snapshot says of itself; the rest is state. */
export interface SnapshotTerms {
  readonly instance: string
  readonly lifetimeMs: number
}
export interface UnsignedSnapshot {
  readonly number: number
  readonly issuedAt: string
  readonly expiresAt: string
  /** Canonical JSON. */
  readonly payload: string
}
export interface SignedSnapshot extends Omit<UnsignedSnapshot, 'payload'> {
  readonly jws: string
}

/** Whoever verifies old exchanges may ask for old snapshots (docs/verify.md): the last of them, within these bounds. */
export const KEPT_SNAPSHOTS = { count: 1000, bytes: 268_435_456 } as const

/**
 * Says that the state of this moment is to be in a snapshot, inside the transaction that made it, so that no
 * crash loses it. Changes share a number until {@link takeSnapshot} takes the state of all of them: a number
 * never comes to stand for two states.
 *
 * @param above a number that gateways have had from elsewhere: this one is higher.
 * @returns the number of the first snapshot that has it.
 * @throws ExchangeError `admin.invalid` when gateways would refuse the snapshot for its size.
 */
export function claimSnapshot(db: Database, terms: SnapshotTerms, above = 0): number {
  verifySize(db, terms)
  db.run(
    'UPDATE snapshot_number SET last = max(last, ?) + 1, isTaken = 0 WHERE isTaken = 1 OR last <= ?',
    above,
    above,
  )
  return lastClaimed(db)
}

/** The number that changes were told last; it was published unless a signature is still to be made. */
export function lastClaimed(db: Database): number {
  return db.get<{ last: number }>('SELECT last FROM snapshot_number')!.last
}

/** The state as it is now, under the number that was claimed last; later changes get another one. */
export function takeSnapshot(db: Database, terms: SnapshotTerms, now: Date): UnsignedSnapshot {
  return db.transaction(() => {
    db.run('UPDATE snapshot_number SET isTaken = 1')
    return compose(db, terms, now)
  })
}

/** Durable when it returns: only what is here may be handed out. */
export function storeSnapshot(
  db: Database,
  snapshot: SignedSnapshot,
  kept: { readonly count: number; readonly bytes: number } = KEPT_SNAPSHOTS,
): void {
  const { number, issuedAt, expiresAt, jws } = snapshot
  db.transaction(() => {
    db.run('INSERT INTO snapshot VALUES (?, ?, ?, NULL, ?)', number, issuedAt, expiresAt, jws)
    db.run('DELETE FROM snapshot WHERE number <= ?', number - kept.count)
    // The newest stays in any case
    db.run(
      `DELETE FROM snapshot WHERE number < ? AND number <= (
         SELECT max(number) FROM (
           SELECT number, sum(octet_length(jws)) OVER (ORDER BY number DESC) AS bytes FROM snapshot)
         WHERE bytes > ?)`,
      number,
      kept.bytes,
    )
  })
}

export function newestSigned(db: Database): SignedSnapshot | undefined {
  return db.get(
    `SELECT number, issuedAt, expiresAt, jws FROM snapshot WHERE jws IS NOT NULL
     ORDER BY number DESC LIMIT 1`,
  )
}

/** One of those that are kept. */
export function keptSnapshot(db: Database, number: number): string | undefined {
  return db.get<{ jws: string }>('SELECT jws FROM snapshot WHERE number = ?', number)?.jws
}

function compose(
  db: Database,
  { instance, lifetimeMs }: SnapshotTerms,
  now: Date,
): UnsignedSnapshot {
  const number = lastClaimed(db)
  const issuedAt = now.toISOString()
  const expiresAt = new Date(now.getTime() + lifetimeMs).toISOString()
  const head = { version: 1, instance, number, issuedAt, expiresAt } as const
  return { number, issuedAt, expiresAt, payload: composeSnapshot(db, head) }
}

function verifySize(db: Database, terms: SnapshotTerms): void {
  // base64url makes four bytes of three; the last part is for header and signature
  const fits = (bytes: number): boolean => (bytes * 4) / 3 + 1024 <= LIMITS.snapshotBytes
  if (fits(snapshotSizeBound(db))) return
  if (fits(Buffer.byteLength(compose(db, terms, new Date(0)).payload))) return
  throw new ExchangeError(
    'admin.invalid',
    `the snapshot would be larger than the ${LIMITS.snapshotBytes} bytes that gateways accept`,
  )
}
