/**
 * The thread that owns the log's database. A commit waits for the disk; here nobody waits with it
 * but the entries of that commit.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import {
  emptyWriteAheadLog,
  erase,
  removeUpTo,
  sweepStaged,
  transaction,
  unstage,
} from './sqlite-removal.ts'
import { ALREADY_RECORDED, INSERT, SCHEMA, SCHEMA_VERSION } from './sqlite-rows.ts'

export interface WorkerOptions {
  readonly file: string
  readonly readOnly: boolean
  /** The database grows to this size, and not beyond. */
  readonly maxBytes: number
}
interface Insert {
  readonly insert: SQLInputValue[]
  readonly wrappedKey?: Uint8Array
  readonly parts?: readonly Uint8Array[]
  /** Exchange id, side, kind, and since when no such record may have been recorded. */
  readonly once?: readonly SQLInputValue[]
}
interface Stage {
  /** Owner, part, bytes. */
  readonly stage: readonly [number, number, Uint8Array]
}
export type Entry = Insert | Stage
export type WorkerRequest =
  | { readonly id: number; readonly write: readonly Entry[] }
  | { readonly id: number; readonly unstage: number }
  | { readonly id: number; readonly erase: readonly number[] }
  | { readonly id: number; readonly removeUpTo: number }
  | { readonly id: number; readonly select: string; readonly parameters: SQLInputValue[] }
  | { readonly id: number; readonly close: true }
export type WorkerReply =
  | { readonly id: number; readonly result: unknown }
  /** Of each entry its position, or why it could not be written. */
  | { readonly id: number; readonly written: readonly (number | string)[] }
  | { readonly id: number; readonly error: string }

const DOUBLE = `SELECT 1 FROM record
  WHERE exchangeId = ? AND side = ? AND kind = ? AND recordedAt >= ? LIMIT 1`
const PAGE_BYTES = 16_384
/** Longest wait for another program's lock (a backup); exchanges wait behind it. */
const BUSY_MS = 1000
/** How often it is tried to empty the write-ahead log while a reader needs it, and when its caller is told. */
const EMPTY_EVERY_MS = 100
const EMPTY_WITHIN_MS = 10_000
/** No room: SQLITE_FULL (sqlite.org/rescode.html). */
const FULL = 13
/** Statements that stay prepared. */
const PREPARED = 100

function open({ file, readOnly, maxBytes }: WorkerOptions): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly, timeout: BUSY_MS })
  if (readOnly) return db
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL`)
  db.exec('PRAGMA synchronous = FULL') // append() promises durability: do not trust a default
  db.exec('PRAGMA secure_delete = ON') // erase() promises that what was deleted is gone
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as {
    user_version: number
  }
  const hasOld = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'entry'").get() !== undefined
  if (hasOld || (version !== 0 && version !== SCHEMA_VERSION)) {
    throw new TypeError('the file was made by another version; move it away')
  }
  if (version === 0) {
    // Written once: a start on a full disk finds its tables, and writes nothing.
    transaction(db, () => db.exec(`${SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}`))
  }
  db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`)
  return db
}

/**
 * Tells other writers of the same log that there is one, as long as the connection is open: by a lock on a file
 * beside it, which goes with the process, however that ends.
 *
 * @param alone done while there is no other writer.
 */
function joinWriters(file: string, alone: () => void): DatabaseSync {
  const writers = new DatabaseSync(`${file}-writers`, { timeout: 0 })
  try {
    writers.exec('BEGIN EXCLUSIVE')
    alone()
  } catch {
    // There is another writer, or no room to sweep: the next start will do it.
  } finally {
    if (writers.isTransaction) writers.exec('ROLLBACK')
  }
  writers.exec('PRAGMA busy_timeout = 60000; BEGIN; SELECT count(*) FROM sqlite_schema')
  return writers
}

function run(port: MessagePort, options: WorkerOptions): void {
  const db = open(options)
  const writers = options.readOnly
    ? undefined
    : joinWriters(options.file, () => {
        for (const _step of sweepStaged(db));
      })
  const reply = (message: WorkerReply): void => port.postMessage(message)
  const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

  const statements = new Map<string, StatementSync>()
  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known) return known
    if (statements.size >= PREPARED) statements.clear()
    const made = db.prepare(sql)
    statements.set(sql, made)
    return made
  }
  const insertPart = 'INSERT INTO content (owner, part, bytes) VALUES (?, ?, ?)'
  const insertKey = 'INSERT INTO recordKey (position, wrapped) VALUES (?, ?)'
  const store = (entry: Entry): number => {
    if ('stage' in entry) {
      prepared(insertPart).run(...entry.stage)
      return 0
    }
    const { insert, wrappedKey, parts, once } = entry
    if (once && prepared(DOUBLE).get(...once) !== undefined) return ALREADY_RECORDED
    const position = Number(prepared(INSERT).run(...insert).lastInsertRowid)
    if (wrappedKey) prepared(insertKey).run(position, wrappedKey)
    parts?.forEach((bytes, part) => prepared(insertPart).run(position, part, bytes))
    return position
  }
  const write = (entries: readonly Entry[]): (number | string)[] => {
    try {
      return transaction(db, () => entries.map(store))
    } catch (error) {
      const isFull = (error as { errcode?: number }).errcode === FULL
      // What is too large for the room that is left takes nobody else down with it.
      if (isFull && entries.length > 1) return entries.flatMap((entry) => write([entry]))
      return entries.map(() => text(error))
    }
  }

  /** Whether the write-ahead log may have what was erased, also by a process that was killed. */
  let isDirty = !options.readOnly
  /** Work in steps: what else arrives is done between them. */
  const inSteps = (id: number, steps: Iterator<void>, done: () => void): void => {
    try {
      if (steps.next().done === true) done()
      else setImmediate(inSteps, id, steps, done)
    } catch (error) {
      reply({ id, error: text(error) })
    }
  }
  const emptied = (id: number, since: number): void => {
    try {
      isDirty = !emptyWriteAheadLog(db)
      if (!isDirty) return reply({ id, result: undefined })
    } catch (error) {
      return reply({ id, error: text(error) })
    }
    if (performance.now() - since < EMPTY_WITHIN_MS) {
      setTimeout(emptied, EMPTY_EVERY_MS, id, since)
    } else {
      const what = 'was deleted, but a reader of the database holds the write-ahead log'
      reply({ id, error: `the content ${what}; erase again when it has ended` })
    }
  }
  const close = (id: number): void => {
    writers?.close()
    db.close()
    reply({ id, result: undefined })
    port.close()
  }
  const handle = (request: WorkerRequest): void => {
    const { id } = request
    if ('close' in request) return close(id)
    if ('write' in request) return reply({ id, written: write(request.write) })
    try {
      if ('select' in request) {
        reply({ id, result: prepared(request.select).all(...request.parameters) })
      } else if ('erase' in request) {
        const before = prepared('SELECT total_changes() AS changes')
        const { changes } = before.get() as { changes: number }
        inSteps(id, erase(db, request.erase), () => {
          isDirty ||= changes !== (before.get() as { changes: number }).changes
          if (isDirty) emptied(id, performance.now())
          else reply({ id, result: undefined })
        })
      } else if ('unstage' in request) {
        inSteps(id, unstage(db, request.unstage), () => reply({ id, result: undefined }))
      } else {
        inSteps(id, removeUpTo(db, request.removeUpTo), () => reply({ id, result: undefined }))
      }
    } catch (error) {
      reply({ id, error: text(error) })
    }
  }

  port.on('message', handle)
  reply({ id: 0, result: undefined })
}

if (parentPort) run(parentPort, workerData as WorkerOptions)
