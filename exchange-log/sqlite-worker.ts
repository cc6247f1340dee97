/**
 * The thread that owns the log's database. A commit waits for the disk; here nobody waits with it
 * but the entries of that commit.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { INSERT, SCHEMA, SCHEMA_VERSION } from './sqlite-rows.ts'

export interface WorkerOptions {
  readonly file: string
  readonly readOnly: boolean
  /** The database grows to this size, and not beyond. */
  readonly maxBytes: number
}
interface Insert {
  readonly id: number
  readonly insert: SQLInputValue[]
  readonly wrappedKey?: Uint8Array
  readonly parts?: readonly Uint8Array[]
}
export type WorkerRequest =
  | Insert
  | { readonly id: number; readonly erase: number }
  | { readonly id: number; readonly stage: SQLInputValue[] }
  | { readonly id: number; readonly removeUpTo: number }
  | { readonly id: number; readonly select: string; readonly parameters: SQLInputValue[] }
  | { readonly id: number; readonly close: true }
export type WorkerReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }

const PAGE_BYTES = 16_384
/** Longest wait for another program's lock (a backup); exchanges wait behind it. */
const BUSY_MS = 1000
/** Entries of one commit. More would hold up those that come after. */
const BATCH = 256

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
  db.exec(SCHEMA)
  db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`)
  return db
}

function run(port: MessagePort, options: WorkerOptions): void {
  const db = open(options)
  const insert = options.readOnly ? undefined : db.prepare(INSERT)
  const reply = (message: WorkerReply): void => port.postMessage(message)
  const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

  const put = (sql: string): StatementSync | undefined =>
    options.readOnly ? undefined : db.prepare(sql)
  const insertKey = put('INSERT INTO recordKey (position, wrapped) VALUES (?, ?)')
  const insertPart = put('INSERT INTO content (owner, part, bytes) VALUES (?, ?, ?)')

  const commit = (batch: Insert[]): void => {
    const positions: number[] = []
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const { insert: row, wrappedKey, parts } of batch) {
        const position = Number(insert?.run(...row).lastInsertRowid)
        positions.push(position)
        if (wrappedKey) insertKey?.run(position, wrappedKey)
        parts?.forEach((bytes, part) => insertPart?.run(position, part, bytes))
      }
      db.exec('COMMIT')
    } catch (error) {
      // A full disk may have rolled back by itself (sqlite.org/lang_transaction.html §3).
      if (db.isTransaction) db.exec('ROLLBACK')
      for (const { id } of batch) reply({ id, error: text(error) })
      return
    }
    batch.forEach(({ id }, i) => reply({ id, result: positions[i] }))
  }

  const answer = (request: WorkerRequest): unknown => {
    if ('select' in request) return db.prepare(request.select).all(...request.parameters)
    if ('stage' in request) return insertPart?.run(...request.stage)
    if ('erase' in request) return erase(db, request.erase)
    if ('removeUpTo' in request) return removeUpTo(db, request.removeUpTo)
    return undefined
  }
  const handle = (request: WorkerRequest): void => {
    if ('close' in request) {
      db.close()
      reply({ id: request.id, result: undefined })
      port.close()
      return
    }
    try {
      reply({ id: request.id, result: answer(request) })
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      reply({ id: request.id, error: text(error) })
    }
  }

  port.on('message', (received: WorkerRequest) => {
    const batch: Insert[] = []
    let request: WorkerRequest | undefined = received
    // Whatever arrived while the last commit ran shares the next one.
    while (request !== undefined && 'insert' in request) {
      batch.push(request)
      request =
        batch.length < BATCH
          ? (receiveMessageOnPort(port)?.message as WorkerRequest | undefined)
          : undefined
    }
    if (batch.length > 0) commit(batch)
    if (request !== undefined) handle(request)
  })
  reply({ id: 0, result: undefined })
}

const OWNER = 'coalesce(staged, position)'

function erase(db: DatabaseSync, position: number): void {
  db.exec('BEGIN IMMEDIATE')
  db.prepare(
    `DELETE FROM content WHERE owner = (SELECT ${OWNER} FROM record WHERE position = ?)`,
  ).run(position)
  db.prepare('DELETE FROM recordKey WHERE position = ?').run(position)
  db.exec('COMMIT')
  // The write-ahead log has the pages as they were.
  const [done] = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all() as { busy: number }[]
  if (done?.busy === 1) throw new TypeError('a reader holds the write-ahead log; erase again')
}

function removeUpTo(db: DatabaseSync, position: number): void {
  db.exec('BEGIN IMMEDIATE')
  db.prepare(
    `DELETE FROM content WHERE owner IN (SELECT ${OWNER} FROM record WHERE position <= ?)`,
  ).run(position)
  db.prepare('DELETE FROM record WHERE position <= ?').run(position)
  db.exec('COMMIT')
}

if (parentPort) run(parentPort, workerData as WorkerOptions)
