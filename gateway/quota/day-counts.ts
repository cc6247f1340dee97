import type { Logger } from '../../runtime/logger.ts'
import { openSqliteDatabase, type Database } from '../../runtime/sqlite-database.ts'

/** Calls of contracts in days, kept in a file: a restart gives nobody a second day. */
export interface DayCounts extends Disposable {
  count(digest: string, day: number): number
  add(digest: string, day: number): void
  /** Writes what is new, and forgets what nobody counts any more. */
  flush(): void
  readonly size: number
}

interface Counted {
  readonly digest: string
  readonly day: number
  count: number
  /** By the monotonic clock: a clock that was wrong for a while makes nothing be forgotten. */
  touchedAt: number
}

const IDLE_MS = 2 * 86_400_000
/** Days before today's whose rows are kept. */
const KEPT_DAYS = 2

/**
 * Counts in memory; the file follows by {@link DayCounts.flush}, so a crash forgets what was counted since.
 *
 * @param today the day by the clock now.
 * @throws ConfigError when the file cannot be opened.
 */
export function openDayCounts(file: string, today: () => number, logger: Logger): DayCounts {
  const database = openSqliteDatabase(file, (db) =>
    db.exec(`CREATE TABLE IF NOT EXISTS dayCount (
      day INTEGER NOT NULL, digest TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, digest)
    ) STRICT`),
  )
  const counts = new Map<string, Counted>()
  const touchedAt = performance.now()
  for (const row of database.all<Omit<Counted, 'touchedAt'>>(
    'SELECT * FROM dayCount WHERE day >= ?',
    today() - KEPT_DAYS,
  )) {
    counts.set(keyOf(row.digest, row.day), { ...row, touchedAt })
  }
  const dirty = new Set<Counted>()

  const flush = (): void => {
    const before = performance.now() - IDLE_MS
    for (const [key, counted] of counts) if (counted.touchedAt < before) counts.delete(key)
    if (dirty.size === 0) return
    try {
      write(database, dirty, today())
      dirty.clear()
    } catch (error) {
      // The disk is full: the exchange log says so louder, and refuses.
      logger.warn({ err: error }, 'counts of quotas are not written')
    }
  }
  return {
    count: (digest, day) => counts.get(keyOf(digest, day))?.count ?? 0,
    add: (digest, day) => {
      const key = keyOf(digest, day)
      const counted = counts.get(key) ?? { digest, day, count: 0, touchedAt: 0 }
      counted.count += 1
      counted.touchedAt = performance.now()
      counts.set(key, counted)
      dirty.add(counted)
    },
    flush,
    get size() {
      return counts.size
    },
    [Symbol.dispose]: () => {
      flush()
      database[Symbol.dispose]()
    },
  }
}

function write(database: Database, counted: Iterable<Counted>, today: number): void {
  database.transaction(() => {
    for (const { day, digest, count } of counted) {
      database.run('INSERT OR REPLACE INTO dayCount VALUES (?, ?, ?)', day, digest, count)
    }
    database.run('DELETE FROM dayCount WHERE day < ?', today - KEPT_DAYS)
  })
}

const keyOf = (digest: string, day: number): string => `${day} ${digest}`
