import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'

/** A body that has wholly arrived. */
export interface SpooledBody extends AsyncDisposable {
  readonly size: number
  /** SHA-256, base64url. */
  readonly digest: string
  /** The bytes, while they are few enough to be kept in memory; else read {@link open}. */
  readonly bytes: Buffer | undefined
  /** Reads the body from its beginning; may be called again. */
  open(): Readable
}

export type SpoolFailure = 'too-large' | 'idle' | 'incomplete' | 'storage'

/** Why a body could not be received; the caller knows whose fault that is. */
export class SpoolError extends Error {
  override readonly name = 'SpoolError'
  readonly failure: SpoolFailure

  constructor(failure: SpoolFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}

export interface SpoolLimits {
  readonly maxBytes: number
  /** Longest pause. */
  readonly idleMs: number
  /** Longest time for all of it, so that a drip ends too. */
  readonly totalMs: number
}

export interface Spool {
  /**
   * Takes in a whole body, hashing it: small ones in memory, larger ones in a file that has no name,
   * so that it is gone with the process, however that ends.
   *
   * @throws SpoolError `too-large` beyond the limit, `idle` when nothing arrives for `idleMs`
   *   or the end not within `totalMs`, `incomplete` when the stream breaks off, `storage` when the disk takes no more.
   */
  receive(stream: Readable, limits: SpoolLimits): Promise<SpooledBody>
}

const EMPTY_DIGEST = createHash('sha256').digest('base64url')
export const EMPTY_BODY: SpooledBody = {
  size: 0,
  digest: EMPTY_DIGEST,
  bytes: Buffer.alloc(0),
  open: () => Readable.from([]),
  [Symbol.asyncDispose]: async () => {},
}

/** @throws SpoolError `too-large`. */
export function verifyWithin(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) {
    throw new SpoolError('too-large', `the body is larger than ${maxBytes} bytes`)
  }
}

/**
 * @param memoryBytes bodies up to this size stay in memory.
 * @param maxStoredBytes what all bodies on disk may take at one time.
 */
export function createSpool(options: {
  readonly dir: string
  readonly memoryBytes: number
  readonly maxStoredBytes: number
}): Spool {
  const { dir, memoryBytes, maxStoredBytes } = options
  const quota: Quota = { left: maxStoredBytes }
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return {
    receive: async (stream, { maxBytes, idleMs, totalMs }) => {
      const intake = new Intake(dir, memoryBytes, quota)
      const until = performance.now() + totalMs
      // While a chunk is being stored nobody waits for the stream; nextChunk finds its error afterwards.
      stream.on('error', ignore)
      try {
        for (
          let chunk;
          (chunk = await nextChunk(stream, Math.min(idleMs, until - performance.now()))) !==
          undefined;
        ) {
          verifyWithin(intake.size + chunk.length, maxBytes)
          await intake.take(chunk)
        }
        return intake.finish()
      } catch (error) {
        await intake.discard()
        throw error
      } finally {
        stream.off('error', ignore)
      }
    },
  }
}

const ignore = (): void => undefined

/** The next bytes, or undefined at the end. Never destroys the stream: its owner may still answer. */
async function nextChunk(stream: Readable, idleMs: number): Promise<Buffer | undefined> {
  if (idleMs <= 0) throw new SpoolError('idle', 'the body did not arrive in time')
  for (;;) {
    const chunk = stream.read() as Buffer | null
    if (chunk !== null) return chunk
    if (stream.readableEnded) return undefined
    if (stream.destroyed) throw brokeOff(stream.errored)
    await change(stream, idleMs)
  }
}

function change(stream: Readable, idleMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      clearTimeout(timer)
      for (const event of ['readable', 'end', 'close'] as const) stream.off(event, onChange)
      stream.off('error', onError)
      done()
    }
    const onChange = (): void => settle(resolve)
    const onError = (cause: unknown): void => settle(() => reject(brokeOff(cause)))
    const timer = setTimeout(() => {
      settle(() => reject(new SpoolError('idle', `nothing arrived for ${idleMs} ms`)))
    }, idleMs)
    for (const event of ['readable', 'end', 'close'] as const) stream.on(event, onChange)
    stream.on('error', onError)
  })
}

function brokeOff(cause: unknown): SpoolError {
  return new SpoolError('incomplete', 'the body broke off', { cause })
}

/** What the disk may still take, of all bodies together. */
interface Quota {
  left: number
}

/** One body on its way in. */
class Intake {
  size = 0
  readonly #dir: string
  readonly #memoryBytes: number
  readonly #hash = createHash('sha256')
  readonly #quota: Quota
  #stored = 0
  #chunks: Buffer[] = []
  #file: FileHandle | undefined

  constructor(dir: string, memoryBytes: number, quota: Quota) {
    this.#dir = dir
    this.#quota = quota
    this.#memoryBytes = memoryBytes
  }

  async take(chunk: Buffer): Promise<void> {
    this.size += chunk.length
    this.#hash.update(chunk)
    if (this.#file === undefined) this.#chunks.push(chunk)
    if (this.#file === undefined && this.size <= this.#memoryBytes) return
    this.#reserve()
    try {
      if (this.#file === undefined) await this.#spill()
      else await writeAll(this.#file, [chunk])
    } catch (cause) {
      throw new SpoolError('storage', 'the body cannot be stored', { cause })
    }
  }

  finish(): SpooledBody {
    const { size } = this
    const digest = this.#hash.digest('base64url')
    const file = this.#file
    if (file === undefined) {
      const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const open = (): Readable => Readable.from(size === 0 ? [] : [bytes])
      return { size, digest, bytes, open, [Symbol.asyncDispose]: async () => {} }
    }
    return {
      size,
      digest,
      bytes: undefined,
      open: () => Readable.from(readChunks(file, size), { objectMode: false, highWaterMark: 1 }),
      [Symbol.asyncDispose]: () => this.discard(),
    }
  }

  async discard(): Promise<void> {
    this.#quota.left += this.#stored
    this.#stored = 0
    await this.#file?.close()
  }

  #reserve(): void {
    const more = this.size - this.#stored
    if (more > this.#quota.left) throw new SpoolError('storage', 'too many bodies are stored')
    this.#quota.left -= more
    this.#stored = this.size
  }

  async #spill(): Promise<void> {
    const path = join(this.#dir, crypto.randomUUID())
    this.#file = await open(path, 'wx+', 0o600)
    await unlink(path)
    await writeAll(this.#file, this.#chunks)
    this.#chunks = []
  }
}

async function writeAll(file: FileHandle, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) {
    for (let written = 0; written < chunk.length;) {
      written += (await file.write(chunk, written)).bytesWritten
    }
  }
}

const READ_BYTES = 64 * 1024

async function* readChunks(file: FileHandle, size: number): AsyncGenerator<Buffer> {
  for (let position = 0; position < size;) {
    // A fresh buffer each time: the one before may still wait in a socket.
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size - position))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) throw new SpoolError('storage', 'the stored body is shorter than it was')
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
