import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeProtectedHeader } from 'jose'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { SnapshotKey } from './snapshot-key.ts'
import {
  claimSnapshot,
  lastClaimed,
  newestSigned,
  storeSnapshot,
  takeSnapshot,
  type SignedSnapshot,
  type SnapshotTerms,
} from './snapshot-log.ts'

export interface PublishedSnapshot {
  readonly number: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** Compact JWS, ASCII. */
  readonly body: Buffer
  /** Strong entity tag with its quotes (RFC 9110 §8.8.3). */
  readonly etag: string
}

/** Signs what was committed and hands out the newest. */
export interface Publisher {
  current(): PublishedSnapshot
  /** Resolves when everything committed before the call is signed, stored and current. */
  publish(): Promise<void>
  /** Publishes the same state anew if it is time to, and whatever an earlier fault left unsigned. */
  refresh(): Promise<void>
  /** Resolves when the current snapshot is not `etag`, after `waitMs`, on abort, or on `stop`. */
  waitForOther(etag: string, waitMs: number, signal: AbortSignal): Promise<void>
  /** Releases everybody who waits, now and from now on. */
  stop(): void
  readonly stopped: boolean
}

export async function openPublisher(deps: {
  readonly db: Database
  readonly key: SnapshotKey
  readonly terms: SnapshotTerms
  readonly clock: Clock
  readonly logger: Logger
}): Promise<Publisher> {
  const { db, key, terms, clock, logger } = deps
  const waiting = new Set<() => void>()
  const wakeAll = (): void => waiting.forEach((wake) => wake())
  let stopped = false
  let current: PublishedSnapshot | undefined
  let queue: Promise<void> = Promise.resolve()

  const setCurrent = (snapshot: SignedSnapshot): void => {
    current = toPublished(snapshot)
    wakeAll()
  }
  let restUntil = 0
  const signNewest = async (): Promise<void> => {
    if (lastClaimed(db) <= (current?.number ?? 0)) return
    // Megabytes are written and signed in one go: after that others have their turn, for as long.
    await delay(Math.max(0, restUntil - performance.now()))
    const begun = performance.now()
    const { payload, ...unsigned } = takeSnapshot(db, terms, clock())
    const snapshot = { ...unsigned, jws: await key.sign(payload) }
    storeSnapshot(db, snapshot)
    logger.info({ number: snapshot.number }, 'snapshot published')
    setCurrent(snapshot)
    restUntil = 2 * performance.now() - begun
  }
  // One after the other: two at a time would sign a number twice. What came meanwhile goes into the next one together.
  const publish = (): Promise<void> => (queue = queue.catch(() => undefined).then(signNewest))
  const refresh = async (): Promise<void> => {
    await publish()
    if (current && !isDue(current, key, terms, clock())) return
    db.transaction(() => claimSnapshot(db, terms))
    await publish()
  }

  const last = newestSigned(db)
  if (last) setCurrent(last)
  await refresh()

  return {
    current: () => current!,
    publish,
    refresh,
    waitForOther: async (etag, waitMs, signal) => {
      if (stopped || signal.aborted || current!.etag !== etag) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, waitMs)
      signal.addEventListener('abort', () => resolve(), { once: true })
      waiting.add(resolve)
      await promise
      waiting.delete(resolve)
      clearTimeout(timer)
    },
    stop: () => {
      stopped = true
      wakeAll()
    },
    get stopped() {
      return stopped
    },
  }
}

function toPublished({ number, issuedAt, expiresAt, jws }: SignedSnapshot): PublishedSnapshot {
  const digest = createHash('sha256').update(jws).digest('base64url').slice(0, 16)
  return {
    number,
    issuedAt: new Date(issuedAt),
    expiresAt: new Date(expiresAt),
    body: Buffer.from(jws, 'ascii'),
    etag: `"${number}-${digest}"`,
  }
}

/**
 * A quarter of the lifetime leaves gateways three quarters of it for an outage. By the clock's
 * reading and not by a timer: a machine that slept is late at once, and one whose clock was set back
 * must not hand out a snapshot of the future.
 */
function isDue(
  { issuedAt, expiresAt, body }: PublishedSnapshot,
  { kid, anchorNumber }: SnapshotKey,
  { lifetimeMs }: SnapshotTerms,
  now: Date,
): boolean {
  const ageMs = now.getTime() - issuedAt.getTime()
  const header = decodeProtectedHeader(body.toString('ascii'))
  return (
    ageMs < 0 ||
    ageMs >= lifetimeMs / 4 ||
    expiresAt.getTime() - issuedAt.getTime() !== lifetimeMs ||
    header.kid !== kid ||
    (header.anchor ?? 1) !== anchorNumber
  )
}
