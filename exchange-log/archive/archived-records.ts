import { positionsOf } from '../erasure.ts'
import type { StoredRecord } from '../record.ts'
import { COLUMNS, toRecord, type Row } from '../sqlite-rows.ts'
import type { ExchangeLogStore } from '../store.ts'
import type { ReadOnlyDatabase } from '../verify/read-only-database.ts'
import type { ArchiveEvent } from './archive-event.ts'
import type { ArchivePlace } from './archive-place.ts'
import { archivesOf } from './archiver.ts'
import { openArchivesOf } from './opened-archives.ts'

/** A log with what left it, as far as one exchange is looked up. */
export type ReachableRecords = Pick<
  ExchangeLogStore,
  'entries' | 'after' | 'wrappedKey' | 'contentPart'
>
type LiveRecords = ReachableRecords & Pick<ExchangeLogStore, 'contents' | 'events' | 'extent'>

const NAMES = ['position', 'salt', 'commitment', ...COLUMNS]
const SELECT = `SELECT ${NAMES.join(', ')} FROM record`
const PART = 'SELECT bytes FROM content WHERE owner = ? AND part = ?'
const OWNERS = 1000

/** All records with an exchange id in an archive, oldest first. */
export function entriesIn(db: ReadOnlyDatabase, exchangeId: string): StoredRecord[] {
  return db.rows(`${SELECT} WHERE exchangeId = ? ORDER BY position`, exchangeId).map(toStored)
}

function toStored(values: readonly unknown[]): StoredRecord {
  return toRecord(Object.fromEntries(NAMES.map((name, i) => [name, values[i]])) as Row)
}

/**
 * Reads records in archives as if they had not left: `entries`, and `after` for one at a time. Where the place is far, only
 * those archives are searched that have something of the exchange for which the log has a key, or the record of its erasure.
 *
 * What its methods throw beside what the log throws is an ArchiveError.
 */
export function reachArchives(
  live: LiveRecords,
  place: ArchivePlace,
): ReachableRecords & Disposable {
  const archives = openArchivesOf(place)
  const known = async (): Promise<ArchiveEvent[]> =>
    (await archivesOf({ records: live })).filter((event) => event.place === place.name)
  const holding = async (position: number): Promise<ArchiveEvent | undefined> =>
    (await known()).findLast((archive) => isIn(archive, position))
  const concerning = async (exchangeId: string): Promise<ArchiveEvent[]> => {
    const all = await known()
    if (place.isNear || all.length === 0) return all
    const owners = await live.contents({ exchangeId, limit: OWNERS })
    const erasures = (await live.entries(exchangeId)).filter(({ kind }) => kind === 'erasure')
    const positions = [...owners.map(({ position }) => position), ...erasures.flatMap(positionsOf)]
    return all.filter((archive) => positions.some((position) => isIn(archive, position)))
  }
  return {
    entries: async (exchangeId) => {
      const found = new Map<number, StoredRecord>()
      const add = (record: StoredRecord): void => void found.set(record.position, record)
      for (const archive of await concerning(exchangeId)) {
        const entries = await archives.read(archive, (db) => entriesIn(db, exchangeId))
        entries.forEach(add)
      }
      const entries = await live.entries(exchangeId)
      entries.forEach(add)
      return [...found.values()].toSorted((a, b) => a.position - b.position)
    },
    after: async (position, limit) => {
      const found = await live.after(position, limit)
      if (limit !== 1 || found[0]?.position === position + 1) return found
      const archive = await holding(position + 1)
      if (archive === undefined) return found
      const sql = `${SELECT} WHERE position = ?`
      return archives.read(archive, (db) => db.rows(sql, position + 1).map(toStored))
    },
    wrappedKey: (position) => live.wrappedKey(position),
    contentPart: async (position, part) => {
      const found = await live.contentPart(position, part)
      if (found !== undefined || position >= (await live.extent()).first) return found
      const archive = await holding(position)
      if (archive === undefined) return undefined
      const row = await archives.read(archive, (db) => db.row(PART, position, part))
      return row && Buffer.from(row[0] as Uint8Array)
    },
    [Symbol.dispose]: () => archives[Symbol.dispose](),
  }
}

const isIn = ({ first, last }: ArchiveEvent, position: number): boolean =>
  position >= first && position <= last
