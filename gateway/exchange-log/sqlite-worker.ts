/**
 * The thread that owns the log's database. A commit waits for the disk; here nobody waits with it
 * but the entries of that commit.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { INSERT, SCHEMA } from './sqlite-rows.ts'

export interface WorkerOptions {
  readonly file: string
  readonly readOnly: boolean
  /** The database grows to this size, and not beyond. */
  readonly maxBytes: number
}
export type WorkerRequest =
  | { readonly id: number; readonly insert: SQLInputValue[] }
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
  db.exec(SCHEMA)
  db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / PAGE_BYTES))}`)
  return db
}

function run(port: MessagePort, options: WorkerOptions): void {
  const db = open(options)
  const insert = options.readOnly ? undefined : db.prepare(INSERT)
  const reply = (message: WorkerReply): void => port.postMessage(message)
  const text = (error: unknown): string => (error instanceof Error ? error.message : String(error))

  const commit = (batch: { id: number; insert: SQLInputValue[] }[]): void => {
    const positions: number[] = []
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const { insert: row } of batch) {
        positions.push(Number(insert?.run(...row).lastInsertRowid))
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

  const handle = (request: WorkerRequest): void => {
    if ('close' in request) {
      db.close()
      reply({ id: request.id, result: undefined })
      port.close()
    } else if ('select' in request) {
      try {
        reply({ id: request.id, result: db.prepare(request.select).all(...request.parameters) })
      } catch (error) {
        reply({ id: request.id, error: text(error) })
      }
    }
  }

  port.on('message', (received: WorkerRequest) => {
    const batch: { id: number; insert: SQLInputValue[] }[] = []
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

if (parentPort) run(parentPort, workerData as WorkerOptions)
