import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Database } from '../runtime/sqlite-database.ts'
import { openTree } from './sqlite-tree.ts'
import type { TreeChange, TreeReply } from './sqlite-tree-worker.ts'
import { TreeStoreError, type StoredCheckpoint, type TreeStore } from './tree-store.ts'
import { WORKER_MEMORY } from './worker-memory.ts'

interface Row {
  readonly size: number
  readonly rootHash: Uint8Array
  readonly note: string
  readonly at: number
  readonly witnessedAt: number | null
}

/** Opens the tree in `file`, making it at first start. @throws ConfigError */
export function openSqliteTreeStore(file: string): TreeStore {
  const db = openTree(file)
  const writer = openWriter(file)
  const find = (condition: string, ...values: number[]): StoredCheckpoint[] =>
    db
      .all<Row>(`SELECT * FROM checkpoint WHERE ${condition}`, ...values)
      .map((row) => toCheckpoint(db, row))
  const one = (condition: string, ...values: number[]): Promise<StoredCheckpoint | undefined> =>
    asStoreError(() => find(`${condition} LIMIT 1`, ...values)[0])
  return {
    head: () => one('TRUE ORDER BY size DESC'),
    advance: async (from, tiles, checkpoint) =>
      (await writer.change({ advance: [from, tiles, checkpoint] })) === true,
    tile: (level, index) =>
      asStoreError(() => {
        const sql = 'SELECT hashes FROM tile WHERE level = ? AND number = ?'
        const row = db.get<{ hashes: Uint8Array }>(sql, level, index)
        return row && Buffer.from(row.hashes)
      }),
    checkpoint: (size) => one('size = ?', size),
    covering: (size, { witnessed = false } = {}) =>
      one(`size >= ? ${witnessed ? 'AND witnessedAt IS NOT NULL' : ''} ORDER BY size`, size),
    witnessedHead: () => one('witnessedAt IS NOT NULL ORDER BY size DESC'),
    checkpoints: (size, limit) =>
      asStoreError(() => find('size > ? ORDER BY size LIMIT ?', size, limit)),
    addCosignatures: async (size, lines, witnessedAt) => {
      await writer.change({ addCosignatures: [size, lines, witnessedAt] })
    },
    thin: async (before, keep, from) => {
      await writer.change({ thin: { before, keep, from } })
    },
    [Symbol.asyncDispose]: async () => {
      await writer[Symbol.asyncDispose]()
      db[Symbol.dispose]()
    },
  }
}

function toCheckpoint(db: Database, { witnessedAt, ...row }: Row): StoredCheckpoint {
  const sql = 'SELECT line FROM cosignature WHERE size = ? ORDER BY rowid'
  return {
    ...row,
    rootHash: Buffer.from(row.rootHash),
    at: new Date(row.at),
    cosignatures: db.all<{ line: string }>(sql, row.size).map(({ line }) => line),
    ...(witnessedAt === null ? {} : { witnessedAt: new Date(witnessedAt) }),
  }
}

/** SQLite's own errors are told from bugs by their code. */
async function asStoreError<T>(run: () => T): Promise<T> {
  try {
    return run()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_SQLITE_ERROR') throw cause
    throw new TreeStoreError(`the tree cannot be read or written (${String(cause)})`, { cause })
  }
}

interface Writer extends AsyncDisposable {
  /** @throws TreeStoreError */
  change(change: TreeChange): Promise<unknown>
}

/** A thread, so that nobody but who made a change waits for the disk. */
function openWriter(file: string): Writer {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let worker: Worker | undefined
  let lastId = 0
  let isClosed = false

  const end = (ended: Worker, message: string): void => {
    if (worker !== ended) return
    worker = undefined // the next change has another
    for (const { reject } of waiting.values()) reject(new TreeStoreError(message))
    waiting.clear()
  }
  const start = (): Worker => {
    const made = new Worker(new URL('./sqlite-tree-worker.ts', import.meta.url), {
      workerData: file,
      resourceLimits: WORKER_MEMORY,
    })
    made.on('message', (reply: TreeReply) => {
      const promise = waiting.get(reply.id)
      waiting.delete(reply.id)
      if ('error' in reply) promise?.reject(new TreeStoreError(reply.error))
      else promise?.resolve(reply.result)
    })
    made.on('error', (error) => end(made, `the thread of the tree failed: ${String(error)}`))
    made.on('exit', () => end(made, 'the tree is closed'))
    return made
  }
  const post = (message: TreeChange | { readonly close: true }): Promise<unknown> => {
    const promise = Promise.withResolvers<unknown>()
    lastId += 1
    waiting.set(lastId, promise)
    worker ??= start()
    worker.postMessage({ id: lastId, ...message })
    return promise.promise
  }
  worker = start()
  return {
    change: async (change) => {
      if (isClosed) throw new TreeStoreError('the tree is closed')
      return post(change)
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      if (worker === undefined) return
      const exited = once(worker, 'exit')
      await post({ close: true })
      await exited
    },
  }
}
