/** A gateway's log in PostgreSQL, read beside the gateway, by a role that needs no right but to read. */
import { ConfigError } from '../../runtime/config.ts'
import { archivedUpTo } from '../archive/archive-event.ts'
import { openPostgresForReading } from '../open-log.ts'
import { PostgresError, type PostgresDatabase } from '../postgres-database.ts'
import { erasuresOf } from './erasures.ts'
import { postgresColumns, readPostgresRow } from './postgres-record.ts'
import { toContents, toErasures, toExtent, toNext } from './record-rows.ts'
import {
  UnreadableRecordError,
  type CheckedRecord,
  type LiveSource,
  type RecordSource,
} from './source.ts'

// By the time of recording as well: only the owner of the tables can have two records of one position.
const RECORDS = `SELECT ${postgresColumns} FROM spean.record
  WHERE position > $1 AND position <= $2 ORDER BY position, "recordedAt"`
/** Of what was staged before its record the owner is another number: those are looked up one by one. */
const CONTENTS = `
  WITH r AS MATERIALIZED (SELECT position, coalesce(staged, position) AS owner FROM spean.record
    WHERE position > $1 AND position <= $2 AND kept IN ('full', 'digest')),
  c AS MATERIALIZED (
    SELECT owner, count(*) AS parts FROM spean.content
      WHERE owner > $1 AND owner <= $2 GROUP BY owner
    UNION ALL SELECT owner, count(*) FROM spean.content
      WHERE owner = ANY (ARRAY(SELECT owner FROM r WHERE owner <= $1 OR owner > $2)) GROUP BY owner)
  SELECT r.position, k.position IS NOT NULL, coalesce(c.parts, 0)
  FROM r LEFT JOIN c USING (owner) LEFT JOIN spean."recordKey" AS k ON k.position = r.position`
const PART = `SELECT bytes FROM spean.content WHERE part = $2 AND owner =
  (SELECT coalesce(staged, position) FROM spean.record WHERE position = $1 LIMIT 1)`
const ERASURES = `SELECT position, detail FROM spean.record
  WHERE kind = 'erasure' AND side IS NULL AND position > $1 ORDER BY position`
const NEWEST_ARCHIVE = `SELECT detail FROM spean.record
  WHERE kind = 'archive' AND side IS NULL ORDER BY position DESC LIMIT 1`
// The owner of the tables can put here what no number of JavaScript can be.
const EXTENT = `SELECT
  least(${Number.MAX_SAFE_INTEGER},
    greatest((SELECT max(last) FROM spean.extent), (SELECT max(position) FROM spean.record))),
  (SELECT min(position) FROM spean.record WHERE position > 0)`
const NEXT = `SELECT min(position) FROM spean.record
  WHERE position > $1 AND position <= ${Number.MAX_SAFE_INTEGER}`
const KEYS = 'SELECT position FROM spean."recordKey" WHERE position > $1 AND position <= $2'

type Rows = (sql: string, ...values: readonly unknown[]) => Promise<unknown[][]>

/** @throws ConfigError when it cannot be reached, or is not set up for the role in the URL. */
export async function openPostgresSource(url: string): Promise<LiveSource> {
  const { database, tree, stamps, validation, ...open } = await openPostgresForReading(url)
  const rows = reading(database)
  return {
    records: withNextAhead(recordsIn(rows)),
    keysIn: async (after, upTo) =>
      new Set((await rows(KEYS, after, upTo)).map(([position]) => Number(position))),
    ...{ tree, stamps, validation, ...open },
  }
}

/** A database that goes away while it is read says nothing of the log. */
function reading(database: PostgresDatabase): Rows {
  return async (sql, ...values) => {
    try {
      return await database.rows('search', sql, values)
    } catch (cause) {
      if (!(cause instanceof PostgresError) || cause.isDamage) throw cause
      throw new ConfigError(`the log cannot be read: ${cause.message}`, { cause })
    }
  }
}

function recordsIn(rows: Rows): RecordSource {
  const erasures = erasuresOf(async (after) => toErasures(await rows(ERASURES, after)))
  return {
    extent: async () => toExtent((await rows(EXTENT))[0]!),
    records: async (after, upTo) => {
      try {
        return (await rows(RECORDS, after, upTo)).map(readPostgresRow)
      } catch (cause) {
        if (!(cause instanceof PostgresError)) throw cause
        throw await findUnreadable(rows, { after, upTo, cause })
      }
    },
    next: async (after) => toNext((await rows(NEXT, after))[0]!),
    contents: async (after, upTo) => toContents(await rows(CONTENTS, after, upTo)),
    content: async ({ position, commitment }) => {
      const [key] = await rows(
        'SELECT wrapped FROM spean."recordKey" WHERE position = $1',
        position,
      )
      if (key === undefined) return undefined
      const part = async (number: number): Promise<Buffer | undefined> =>
        (await rows(PART, position, number))[0]?.[0] as Buffer | undefined
      return { wrappedKey: key[0] as Buffer, commitment: Buffer.from(commitment), part }
    },
    archivedUpTo: async () => archivedUpTo((await rows(NEWEST_ARCHIVE))[0]?.[0]),
    isErased: ({ position }) => erasures.covers(position),
  }
}

/** Reads the neighbours that come next while the last ones are checked: the server works meanwhile. */
function withNextAhead(source: RecordSource): RecordSource {
  let next: { after: number; upTo: number; records: Promise<CheckedRecord[]> } | undefined
  return {
    ...source,
    records: async (after, upTo) => {
      const known = next?.after === after && upTo <= next.upTo ? next : undefined
      const records = await (known?.records ?? source.records(after, upTo))
      const width = upTo - after
      if (known === undefined || known.upTo === upTo) {
        const ahead = source.records(upTo, upTo + width)
        ahead.catch(() => undefined) // told when it is asked for
        next = { after: upTo, upTo: upTo + width, records: ahead }
      }
      return known === undefined || known.upTo === upTo
        ? records
        : records.filter(({ position }) => position <= upTo)
    },
  }
}

/** The first record that a damaged page, or a value of which nothing can be made, keeps from being read. */
async function findUnreadable(
  rows: Rows,
  { after, upTo, cause }: { after: number; upTo: number; cause: PostgresError },
): Promise<UnreadableRecordError> {
  let [low, high] = [after, upTo]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const isReadable = await rows(RECORDS, low, middle).then(
      () => true,
      (error: unknown) => {
        if (error instanceof PostgresError) return false
        throw error
      },
    )
    if (isReadable) low = middle
    else high = middle
  }
  return new UnreadableRecordError(high, cause)
}
