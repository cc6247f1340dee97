import { once } from 'node:events'
import type { SQLInputValue } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { ConfigError } from '../runtime/config.ts'
import { touchPrivate } from '../runtime/private-file.ts'
import {
  contentsStatement,
  eventsStatement,
  listStatement,
  toOwner,
  toSummary,
  type Statement,
} from './sqlite-queries.ts'
import { SELECT, toRecord, toRow, type Row } from './sqlite-rows.ts'
import type { WorkerOptions, WorkerReply, WorkerRequest } from './sqlite-worker.ts'
import { AlreadyRecordedError, LogStoreError, type ExchangeLogStore } from './store.ts'

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
  // Queries have threads and connections of their own: a long one holds up no exchange, a search no checkpoint.
  const reader = opening.use(await openWorker({ file, maxBytes, readOnly: true }))
  const searcher = opening.use(openWhenAsked({ file, maxBytes, readOnly: true }))
  const select = async (sql: string, ...parameters: SQLInputValue[]): Promise<Row[]> =>
    (await reader.ask({ select: sql, parameters })) as Row[]
  const search = async ({ sql, parameters }: Statement): Promise<Row[]> =>
    (await searcher.ask({ select: sql, parameters })) as Row[]

  const open = opening.move()
  return {
    append: async (sealed) => {
      const { content, onceSince, record } = sealed
      const once = onceSince && [
        ...[record.exchangeId, record.side ?? null, record.kind],
        onceSince.getTime(),
      ]
      const kept = content && {
        wrappedKey: content.wrappedKey,
        ...('parts' in content ? { parts: content.parts } : {}),
      }
      const insert = { insert: toRow(sealed), ...kept, ...(once && { once }) }
      const position = (await writer.ask(insert)) as number | undefined
      if (position !== undefined) return position
      throw new AlreadyRecordedError(`exchange ${record.exchangeId} was recorded already`)
    },
    stage: async (staged, part, bytes) => {
      await writer.ask({ stage: [-staged, part, bytes] })
    },
    unstage: async (staged) => {
      await writer.ask({ unstage: -staged })
    },
    list: async (query) => (await search(listStatement(query))).map(toSummary),
    entries: async (exchangeId) =>
      (await select(`${SELECT} WHERE exchangeId = ? ORDER BY position`, exchangeId)).map(toRecord),
    events: async (kinds, after, limit) =>
      (await search(eventsStatement(kinds, after, limit))).map(toRecord),
    contents: async (query) => (await search(contentsStatement(query))).map(toOwner),
    after: async (position, limit) =>
      (await select(`${SELECT} WHERE position > ? ORDER BY position LIMIT ?`, position, limit)).map(
        toRecord,
      ),
    commitments: async (position, limit) => {
      const sql = 'SELECT commitment FROM record WHERE position > ? ORDER BY position LIMIT ?'
      return (await select(sql, position, limit)).map((row) => bytesOf(row.commitment))
    },
    wrappedKey: async (position) => {
      const sql = 'SELECT wrapped FROM recordKey WHERE position = ?'
      const [row] = await select(sql, position)
      return row && bytesOf(row.wrapped)
    },
    contentPart: async (position, part) => {
      const sql = `SELECT bytes FROM content JOIN record ON owner = coalesce(staged, position)
        WHERE position = ? AND part = ?`
      const [row] = await select(sql, position, part)
      return row && bytesOf(row.bytes)
    },
    erase: async (positions) => {
      await writer.ask({ erase: positions })
    },
    removeUpTo: async (position) => {
      await writer.ask({ removeUpTo: position })
    },
    extent: async () => {
      const [row] = await select(`SELECT
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record'), 0) AS last,
        (SELECT min(position) FROM record) AS first,
        (SELECT (page_count - freelist_count) * page_size
          FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()) AS bytes`)
      const last = Number(row!.last)
      return { last, first: Number(row!.first ?? last + 1), bytes: Number(row!.bytes) }
    },
    servedSince: async (since) => {
      const sql = `SELECT exchangeId FROM record
        WHERE begunAt IS NULL AND at >= ? AND side = 'provider' AND kind = 'request'`
      return (await select(sql, since.getTime())).map((row) => row.exchangeId as string)
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

function bytesOf(value: SQLInputValue | undefined): Buffer {
  return Buffer.from(value as Uint8Array)
}

interface Thread extends AsyncDisposable {
  ask(request: Ask): Promise<unknown>
}

/** A thread that many never need. Once closed it is closed, whether it was opened or not. */
function openWhenAsked(options: WorkerOptions): Thread {
  let thread: Promise<Thread> | undefined
  let isClosed = false
  return {
    ask: async (request) => {
      if (isClosed) throw new LogStoreError('the log is closed')
      thread ??= openWorker(options)
      const opened = await thread.catch((cause: unknown) => {
        thread = undefined
        throw new LogStoreError(String(cause), { cause })
      })
      return opened.ask(request)
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      await (await thread?.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
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
