import { ConfigError } from '../../runtime/config.ts'
import { loadTable, type TableSource } from './load-table.ts'
import { createSelectRows, type SelectRows } from './select-rows.ts'
import type { Table } from './table.ts'
import { fingerprint, watchFile } from './watch-file.ts'

/** Readings in a row during which the file changed; the next one is taken as it is. */
const MAX_UNSETTLED = 5

/** One version of the file with everything derived from it. A query uses one from start to end. */
export interface Snapshot {
  readonly table: Table
  readonly selectRows: SelectRows
  readonly loadedAt: Date
}
export interface LiveTable extends AsyncDisposable {
  /** The newest version that could be read. */
  current(): Snapshot
  /** Why a newer file is not served, if there is one. */
  staleBecause(): string | undefined
}

const QUIET_MS = 300
const POLL_MS = 2000
/** A file that is still being written at start is read this often, then taken as it is. */
const START_TRIES = 10

/**
 * Loads the file and follows its changes, whether it is replaced by rename or written in place. A
 * file that cannot be read as a table leaves the one before in use. One written in place is read each
 * time it was quiet for 300 ms, be it finished or not: rename a whole file to its name to avoid that.
 *
 * @throws ConfigError when the file cannot be read as a table at the start.
 */
export async function openLiveTable(source: TableSource): Promise<LiveTable> {
  const { file, logger } = source
  const closing = new AbortController()
  await using opening = new AsyncDisposableStack()
  const first = await loadAtStart(source)
  let snapshot = toSnapshot(first.table)
  let stale: string | undefined
  let reloads: Promise<void> = Promise.resolve()
  const watcher = opening.use(
    watchFile(file, {
      quietMs: QUIET_MS,
      pollMs: POLL_MS,
      logger,
      // One after another: a reading that ends late must not replace a newer one.
      onChange: () => (reloads = reloads.then(reload)),
    }),
  )
  // A change between the first reading and the watch would go unseen.
  if (first.fingerprint !== (await fingerprint(file))) watcher.checkAgain()

  let unsettled = 0
  async function reload(): Promise<void> {
    try {
      const before = await fingerprint(file)
      const table = await loadTable(source, closing.signal)
      // Half of it may be the old file: a change during reading is announced, and read then.
      if (before !== (await fingerprint(file)) && unsettled < MAX_UNSETTLED) {
        unsettled += 1
        watcher.checkAgain()
        return
      }
      unsettled = 0
      stale = undefined
      if (table.version === snapshot.table.version) return
      snapshot = toSnapshot(table)
      const { rowCount, brokenLineCount } = table
      logger.info({ file, rows: rowCount, brokenLineCount }, 'file has changed')
    } catch (error) {
      if (closing.signal.aborted) return
      const known = error instanceof ConfigError
      stale = known ? error.message : 'an unexpected error, see the log'
      const why = known ? { why: stale } : { err: error }
      logger.warn({ file, ...why }, 'file cannot be read, the version before stays in use')
    }
  }

  const resources = opening.move()
  return {
    current: () => snapshot,
    staleBecause: () => stale,
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      await resources.disposeAsync()
      await reloads
    },
  }
}

async function loadAtStart(source: TableSource): Promise<{ table: Table; fingerprint: string }> {
  for (let tries = 1; ; tries++) {
    const before = await fingerprint(source.file)
    const table = await loadTable(source)
    if (tries === START_TRIES || before === (await fingerprint(source.file))) {
      return { table, fingerprint: before }
    }
  }
}

function toSnapshot(table: Table): Snapshot {
  return { table, selectRows: createSelectRows(table), loadedAt: new Date() }
}
