import { canonicalJson } from '../protocol/canonical-json.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { ApiReply } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { actingName, recordAct } from './acting.ts'
import type { Publisher } from './publisher.ts'
import { claimSnapshot, type SnapshotTerms } from './snapshot-log.ts'

/** One administrative change; its functions run inside a transaction and throw to undo it. */
export interface Change<T> {
  /** Who makes it; whoever called the route when left out. */
  readonly actor?: string
  /** For the events: `put-member`. */
  readonly action: string
  /** What is changed, in words that name it: `member KH-DEV/GOV/MOI`. */
  readonly subject: string
  readonly read: () => T | undefined
  readonly apply: () => void
}

/** Of an answer: the position of the change in `/admin/events`, so that whoever makes many can tell their own. */
export const CHANGE_HEADER = 'spean-change'

/**
 * The only way to change the catalogue. Change, event and the number of the snapshot that will have it are one
 * transaction; the answer comes when that snapshot is published. Changes that come together share one.
 */
export interface Changes {
  /** 201 when it is new, 200 otherwise; a change that changes nothing makes no snapshot. */
  put<T>(change: Change<T>): Promise<ApiReply>
  /** @throws ExchangeError `admin.not-found`. */
  remove<T>(change: Change<T>): Promise<ApiReply>
  /** Gives the same state a number above `from`, which gateways have had though this database has not. */
  resume(named: Named, from: number): Promise<void>
  /** What is no matter of snapshots: `work` and its event, as a whole. */
  note<T>(named: Named, work: () => T): T
}

export type Named = Pick<Change<unknown>, 'actor' | 'action' | 'subject'>

export function createChanges(deps: {
  readonly db: Database
  readonly terms: SnapshotTerms
  readonly clock: Clock
  readonly publisher: Publisher
  readonly logger: Logger
  /** Called before what was changed is published. */
  readonly onCommitted: () => Promise<void>
}): Changes {
  const { db, terms, clock, publisher, logger, onCommitted } = deps
  const record = (named: Named, above?: number): Recorded => {
    const number = claimSnapshot(db, terms, above)
    return { number, position: addEvent(named, clock(), number) }
  }
  const addEvent = (named: Named, now: Date, number: number): number => {
    const { actor = actingName(), action, subject } = named
    db.run(
      'INSERT INTO event (at, actor, action, subject, snapshotNumber) VALUES (?, ?, ?, ?, ?)',
      now.toISOString(),
      actor,
      action,
      subject,
      number,
    )
    recordAct()
    return lastChange(db)
  }
  const finish = async ({ action, subject }: Named, recorded: Recorded): Promise<ApiReply> => {
    const { number, position } = recorded
    logger.info({ action, subject, number }, 'changed')
    await onCommitted()
    await publisher.publish()
    return { headers: { [CHANGE_HEADER]: String(position) } }
  }
  return {
    put: async (change) => {
      const { before, after, recorded } = db.transaction(() => {
        const before = change.read()
        change.apply()
        const after = change.read()
        const isSame = before !== undefined && canonicalJson(before) === canonicalJson(after)
        return { before, after, recorded: isSame ? undefined : record(change) }
      })
      // The same once more may be the retry of one whose publication failed.
      if (recorded === undefined) await publisher.publish()
      const done = recorded && (await finish(change, recorded))
      return { ...done, status: before === undefined ? 201 : 200, body: after }
    },
    remove: async (change) => {
      const recorded = db.transaction(() => {
        if (change.read() === undefined) throw unknown(change.subject)
        change.apply()
        return record(change)
      })
      return { ...(await finish(change, recorded)), status: 204 }
    },
    resume: async (named, from) => {
      const recorded = db.transaction(() => record(named, from))
      await finish(named, recorded)
    },
    note: (named, work) =>
      db.transaction(() => {
        const result = work()
        addEvent(named, clock(), publisher.current().number)
        return result
      }),
  }
}

interface Recorded {
  /** Of the snapshot. */
  readonly number: number
  /** Of the event. */
  readonly position: number
}

/** Position of the newest event; 0 when there is none. */
export function lastChange(db: Database): number {
  return db.get<{ last: number }>('SELECT coalesce(max(position), 0) AS last FROM event')!.last
}

class Undone extends Error {}

/** Everything that a change checks, and nothing of what it does: for what is asked for and not approved yet. */
export function createDryRun(db: Database): Pick<Changes, 'put'> {
  return {
    put: async (change) => {
      let reply: ApiReply = {}
      try {
        db.transaction(() => {
          const status = change.read() === undefined ? 201 : 200
          change.apply()
          reply = { status, body: change.read() }
          throw new Undone()
        })
      } catch (error) {
        if (!(error instanceof Undone)) throw error
      }
      return reply
    },
  }
}

export function unknown(subject: string): ExchangeError {
  return new ExchangeError('admin.not-found', `there is no ${subject}`)
}
