import { once } from 'node:events'
import type { SQLInputValue } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { ConfigError } from '../../runtime/config.ts'
import { touchPrivate } from '../../runtime/private-file.ts'
import { listStatement, toEntry, toRow, toSummary } from './sqlite-rows.ts'
import type { WorkerOptions, WorkerReply, WorkerRequest } from './sqlite-worker.ts'
import { LogStoreError, type ExchangeLogStore } from './store.ts'

type Row = Record<string, SQLInputValue>
type Ask = WorkerRequest extends infer R ? (R extends R ? Omit<R, 'id'> : never) : never

/**
 * Opens the log in `file`, making it at first start.
 *
 * @param maxBytes the log grows to this size and then refuses, so that it cannot fill the disk.
 * @throws ConfigError when the file cannot be opened.
 */
export async function openSqliteLogStore(
  file: string,
  { maxBytes }: { maxBytes: number },
): Promise<ExchangeLogStore> {
  touchPrivate(file)
  await using opening = new AsyncDisposableStack()
  const writer = opening.use(await openWorker({ file, maxBytes, readOnly: false }))
  // Queries have a thread and a connection of their own: a long one holds up no exchange.
  const reader = opening.use(await openWorker({ file, maxBytes, readOnly: true }))
  const select = async (sql: string, ...parameters: SQLInputValue[]): Promise<Row[]> =>
    (await reader.ask({ select: sql, parameters })) as Row[]

  const open = opening.move()
  return {
    append: async (entry) => (await writer.ask({ insert: toRow(entry) })) as number,
    list: async (query) => {
      const { sql, parameters } = listStatement(query)
      return (await select(sql, ...parameters)).map(toSummary)
    },
    entries: async (exchangeId) =>
      (await select('SELECT * FROM entry WHERE exchangeId = ? ORDER BY position', exchangeId)).map(
        toEntry,
      ),
    after: async (position, limit) => {
      const sql = 'SELECT * FROM entry WHERE position > ? ORDER BY position LIMIT ?'
      return (await select(sql, position, limit)).map(toEntry)
    },
    servedSince: async (since) => {
      const sql = `SELECT exchangeId FROM entry
        WHERE begunAt IS NULL AND at >= ? AND side = 'provider' AND kind = 'request'`
      return (await select(sql, since.getTime())).map((row) => row.exchangeId as string)
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

interface Thread extends AsyncDisposable {
  ask(request: Ask): Promise<unknown>
}

async function openWorker(options: WorkerOptions): Promise<Thread> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: options })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  let ended: LogStoreError | undefined
  const end = (message: string): void => {
    ended = new LogStoreError(message)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  const ready = once(worker, 'message').catch((cause: unknown) => {
    throw new ConfigError(`${options.file}: the exchange log cannot be opened (${String(cause)})`, {
      cause,
    })
  })
  await ready
  worker.on('message', (reply: WorkerReply) => {
    const promise = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('error' in reply) promise?.reject(new LogStoreError(reply.error))
    else promise?.resolve(reply.result)
  })
  worker.on('error', (error) => end(`the log's thread failed: ${String(error)}`))
  worker.on('exit', () => end('the log is closed'))
  const ask = (request: Ask): Promise<unknown> => {
    if (ended) return Promise.reject(ended)
    const promise = Promise.withResolvers<unknown>()
    lastId += 1
    waiting.set(lastId, promise)
    worker.postMessage({ id: lastId, ...request })
    return promise.promise
  }
  return {
    ask,
    [Symbol.asyncDispose]: async () => {
      if (ended) return
      const exited = once(worker, 'exit')
      await ask({ close: true })
      await exited
    },
  }
}
