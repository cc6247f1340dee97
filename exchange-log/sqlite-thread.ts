/** The threads of the log's database, as the store asks them. */
import { once } from 'node:events'
import { Worker, type TransferListItem } from 'node:worker_threads'
import { ConfigError } from '../runtime/config.ts'
import type { Entry, WorkerOptions, WorkerReply, WorkerRequest } from './sqlite-worker.ts'
import { LogStoreError } from './store.ts'
import { WORKER_MEMORY } from './worker-memory.ts'

type Ask = WorkerRequest extends infer R ? (R extends R ? Omit<R, 'id'> : never) : never

export interface Thread extends AsyncDisposable {
  /** Done in the order of the calls, those of {@link write} included. */
  ask(request: Ask): Promise<unknown>
  /** @returns the position of a record; of a staged part nothing that means anything. */
  write(entry: Entry): Promise<number>
}

interface Waiting {
  readonly entry: Entry
  readonly promise: PromiseWithResolvers<number>
}

/** Messages with entries that are on their way: while one is committed, the next one is there already. */
const UNDER_WAY = 2
/** Entries of one message, and bytes of their content, that share a commit. More would hold up those behind. */
const BATCH = 256
const BATCH_BYTES = 4_194_304
/** From this size on it is cheaper to hand memory over than to copy it. */
const TRANSFER_BYTES = 32_768

/** A thread that many never need. Once closed it is closed, whether it was opened or not. */
export function openWhenAsked(options: WorkerOptions): Pick<Thread, 'ask'> & AsyncDisposable {
  let thread: Promise<Thread> | undefined
  let isClosed = false
  return {
    ask: async (request) => {
      if (isClosed) throw new LogStoreError('the log is closed')
      thread ??= openThread(options)
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

/** @throws ConfigError */
export async function openThread(options: WorkerOptions): Promise<Thread> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: options,
    resourceLimits: WORKER_MEMORY,
  })
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  const written = new Map<number, readonly Waiting[]>()
  let waiting: Waiting[] = []
  let lastId = 0
  let ended: LogStoreError | undefined

  const end = (message: string): void => {
    ended = new LogStoreError(message)
    const entries = [...written.values(), waiting].flat()
    for (const { promise } of entries) promise.reject(ended)
    for (const { reject } of asked.values()) reject(ended)
    asked.clear()
    written.clear()
    waiting = []
  }
  const send = (request: Ask, transfer: TransferListItem[] = []): number => {
    lastId += 1
    worker.postMessage({ id: lastId, ...request }, transfer)
    return lastId
  }
  const sendWaiting = (): void => {
    const batch = waiting.splice(0, countOfBatch(waiting))
    const entries = batch.map(({ entry }) => entry)
    written.set(send({ write: entries }, entries.flatMap(largeParts)), batch)
  }
  const settle = (reply: WorkerReply): void => {
    const { id } = reply
    if ('written' in reply) {
      const batch = written.get(id)
      written.delete(id)
      if (waiting.length > 0) sendWaiting()
      batch?.forEach(({ promise }, i) => {
        const result = reply.written[i]!
        if (typeof result === 'number') promise.resolve(result)
        else promise.reject(new LogStoreError(result))
      })
      return
    }
    const promise = asked.get(id)
    asked.delete(id)
    if ('error' in reply) promise?.reject(new LogStoreError(reply.error))
    else promise?.resolve(reply.result)
  }

  await once(worker, 'message').catch((cause: unknown) => {
    throw new ConfigError(`${options.file}: the exchange log cannot be opened (${String(cause)})`, {
      cause,
    })
  })
  worker.on('message', settle)
  worker.on('error', (error) => end(`the log's thread failed: ${String(error)}`))
  worker.on('exit', () => end('the log is closed'))

  const ask = (request: Ask): Promise<unknown> => {
    if (ended) return Promise.reject(ended)
    while (waiting.length > 0) sendWaiting()
    const promise = Promise.withResolvers<unknown>()
    asked.set(send(request), promise)
    return promise.promise
  }
  return {
    ask,
    write: (entry) => {
      if (ended) return Promise.reject(ended)
      const promise = Promise.withResolvers<number>()
      waiting.push({ entry, promise })
      if (written.size < UNDER_WAY) sendWaiting()
      return promise.promise
    },
    [Symbol.asyncDispose]: async () => {
      if (ended) return
      const exited = once(worker, 'exit')
      await ask({ close: true })
      await exited
    },
  }
}

/** How many of those that wait go together; at least one. */
function countOfBatch(waiting: readonly Waiting[]): number {
  let bytes = 0
  const count = waiting.findIndex(({ entry }, i) => {
    bytes += contentBytes(entry)
    return i === BATCH || (i > 0 && bytes > BATCH_BYTES)
  })
  return count === -1 ? waiting.length : count
}

function contentBytes(entry: Entry): number {
  if ('stage' in entry) return entry.stage[2].length
  return entry.parts?.reduce((sum, { length }) => sum + length, 0) ?? 0
}

/** Memory that is nobody else's, and large enough to be handed over. */
function largeParts(entry: Entry): ArrayBuffer[] {
  const parts = 'stage' in entry ? [entry.stage[2]] : (entry.parts ?? [])
  return parts.flatMap(({ buffer, byteLength }) =>
    byteLength >= TRANSFER_BYTES &&
    byteLength === buffer.byteLength &&
    buffer instanceof ArrayBuffer
      ? [buffer]
      : [],
  )
}
