import { ConfigError } from '../runtime/config.ts'
import { createGroupCommit } from './group-commit.ts'
import { STORED_COLUMNS } from './postgres-columns.ts'
import {
  askWith,
  PostgresError,
  type PostgresDatabase,
  type PostgresRow,
} from './postgres-database.ts'
import { RECORDED_ALREADY } from './postgres-functions.ts'
import {
  contentsStatement,
  eventsStatement,
  listStatement,
  toOwner,
  toSummary,
  type Statement,
} from './postgres-queries.ts'
import { SELECT, toParameters, toRecord, toValues, writeText, type Value } from './postgres-rows.ts'
import {
  AlreadyRecordedError,
  LogStoreError,
  type ExchangeLogStore,
  type SealedContent,
} from './store.ts'

interface Prepared {
  readonly values: readonly Value[]
  readonly content?: SealedContent
  readonly onceSince?: Date
}

const PARAMETERS = Array.from({ length: STORED_COLUMNS.length + 5 }, (_, i) => `$${i + 1}`)
const APPEND = `SELECT spean.append(${PARAMETERS.join(', ')}) AS first`
const BYTES = `SELECT sum(pg_total_relation_size(relid))::bigint AS bytes FROM (
  SELECT relid FROM pg_partition_tree('spean.record') UNION ALL
  SELECT relid FROM pg_partition_tree('spean.content') UNION ALL SELECT 'spean."recordKey"'::regclass) AS parts`

const DAY_MS = 24 * 60 * 60_000
/** The size is looked at so often: a log passes its limit by what comes in between. */
const SIZE_MS = 10_000

/**
 * The records of a log in PostgreSQL, which all replicas of a gateway share.
 *
 * @param database stays open when the store is closed.
 * @param maxBytes the log grows to this size and then refuses.
 * @throws ConfigError when it cannot be made ready.
 */
export async function openPostgresLogStore(
  database: PostgresDatabase,
  { maxBytes }: { readonly maxBytes: number },
): Promise<ExchangeLogStore> {
  let isClosed = false
  const query = askWith(database, (message, options) => new LogStoreError(message, options))
  const ask: typeof query = async (...statement) => {
    if (isClosed) throw new LogStoreError('the log is closed')
    return query(...statement)
  }
  const select = <T extends object = PostgresRow>(
    sql: string,
    ...values: unknown[]
  ): Promise<T[]> => ask<T>('search', sql, ...values)
  const search = ({ sql, parameters }: Statement): Promise<PostgresRow[]> =>
    select(sql, ...parameters)
  const prepare = (): Promise<unknown> => query('maintain', 'SELECT spean.prepare()')

  let size = { bytes: 0, at: -Infinity }
  const ensureRoom = async (): Promise<void> => {
    if (performance.now() - size.at >= SIZE_MS) {
      const [row] = await query<{ bytes: number }>('append', BYTES)
      size = { bytes: row!.bytes, at: performance.now() }
    }
    if (size.bytes < maxBytes) return
    size.at = -Infinity
    throw new LogStoreError(`the log has reached ${maxBytes} bytes (exchangeLog.maxBytes)`)
  }
  const append = async (entries: readonly Prepared[]): Promise<readonly (number | undefined)[]> => {
    if (entries.length === 0) return []
    try {
      const [row] = await query<{ first: number }>('append', APPEND, ...toParameters(entries))
      return entries.map((_, i) => row!.first + i)
    } catch (error) {
      const doubles = doublesIn(error)
      if (doubles.size === 0) throw error
      const others = await append(entries.filter((_, i) => !doubles.has(i)))
      const positions = others.values()
      return entries.map((_, i) => (doubles.has(i) ? undefined : positions.next().value))
    }
  }
  const commits = createGroupCommit<Prepared, number | undefined>(async (entries) => {
    await ensureRoom()
    return append(entries)
  }, sizeOf)

  await prepare().catch((cause: unknown) => {
    throw new ConfigError(`the exchange log cannot be made ready: ${String(cause)}`, { cause })
  })
  // A month that could not be made ahead is made by its first record.
  const daily = setInterval(() => void prepare().catch(() => undefined), DAY_MS).unref()
  return {
    append: async (sealed) => {
      if (isClosed) throw new LogStoreError('the log is closed')
      const { content, onceSince, record } = sealed
      const more = { ...(content && { content }), ...(onceSince && { onceSince }) }
      const position = await commits.add({ values: toValues(sealed), ...more })
      if (position !== undefined) return position
      throw new AlreadyRecordedError(`exchange ${record.exchangeId} was recorded already`)
    },
    stage: async (staged, part, bytes) => {
      await ask('work', 'SELECT spean.stage($1, $2, $3)', -staged, part, bytes)
    },
    unstage: async (staged) => {
      await ask('work', 'SELECT spean.unstage($1)', -staged)
    },
    list: async (wanted) => (await search(listStatement(wanted))).map(toSummary),
    events: async (kinds, after, limit) =>
      (await search(eventsStatement(kinds, after, limit))).map(toRecord),
    contents: async (wanted) => (await search(contentsStatement(wanted))).map(toOwner),
    entries: async (exchangeId) => {
      const sql = `${SELECT} WHERE "exchangeId" = $1 ORDER BY position`
      return (await select(sql, writeText(exchangeId))).map(toRecord)
    },
    after: async (position, limit) => {
      const sql = `${SELECT} WHERE position > $1 ORDER BY position LIMIT $2`
      return (await select(sql, position, limit)).map(toRecord)
    },
    commitments: async (position, limit) => {
      const sql = `SELECT commitment FROM spean.record WHERE position > $1 ORDER BY position LIMIT $2`
      const rows = await ask<{ commitment: Buffer }>('work', sql, position, limit)
      return rows.map(({ commitment }) => commitment)
    },
    wrappedKey: async (position) => {
      const sql = 'SELECT wrapped FROM spean."recordKey" WHERE position = $1'
      return (await select<{ wrapped: Buffer }>(sql, position))[0]?.wrapped
    },
    contentPart: async (position, part) => {
      const sql = `SELECT bytes FROM spean.content WHERE part = $2 AND owner =
        (SELECT coalesce(staged, position) FROM spean.record WHERE position = $1)`
      return (await select<{ bytes: Buffer }>(sql, position, part))[0]?.bytes
    },
    erase: async (positions) => {
      await ask('maintain', 'SELECT spean.erase($1)', positions)
    },
    removeUpTo: async (position) => {
      await ask('maintain', 'SELECT spean."removeUpTo"($1)', position)
    },
    extent: async () => {
      const sql = `SELECT last, first, (${BYTES}) AS bytes FROM spean.extent`
      return (await select<{ last: number; first: number; bytes: number }>(sql))[0]!
    },
    servedSince: async (since) => {
      const sql = `SELECT "exchangeId" FROM spean.record WHERE "begunAt" IS NULL AND at >= $1
        AND side = 'provider' AND kind = 'request' ORDER BY position`
      const rows = await select<{ exchangeId: string }>(sql, since.toISOString())
      return rows.map(({ exchangeId }) => exchangeId)
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      clearInterval(daily)
      await commits.settled()
    },
  }
}

/** Which of the records that were to be appended were recorded already, counted from 0. */
function doublesIn(error: unknown): ReadonlySet<number> {
  const { cause } = error as { readonly cause?: unknown }
  const detail = cause instanceof PostgresError ? cause.detailOf(RECORDED_ALREADY) : undefined
  return new Set(
    (detail ?? '')
      .split(',')
      .filter(Boolean)
      .map((n) => Number(n) - 1),
  )
}

function sizeOf({ content, values }: Prepared): number {
  const own = values.reduce<number>((sum, value) => {
    return sum + (typeof value === 'string' ? value.length : 8)
  }, 0)
  if (!content || !('parts' in content)) return own
  return content.parts.reduce((sum, { length }) => sum + length, own)
}
