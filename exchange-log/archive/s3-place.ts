import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ArchiveError } from './archive-errors.ts'
import type { ArchivePlace } from './archive-place.ts'
import { openS3Client, type S3Client } from './s3-client.ts'
import type { S3Config } from './s3-config.ts'

/** Longer files go in parts of this size, of which one is in memory. S3 takes 5 MiB and more. */
const PART_BYTES = 16 * 1_048_576
/** S3 takes so many. */
const MAX_PARTS = 10_000

/**
 * A bucket.
 *
 * @param workFolder of this process alone; what is in it is removed.
 */
export function s3Place(
  config: S3Config,
  options: { readonly workFolder: string; readonly partBytes?: number },
): ArchivePlace & AsyncDisposable {
  const { workFolder, partBytes = PART_BYTES } = options
  rmSync(workFolder, { recursive: true, force: true })
  mkdirSync(workFolder, { recursive: true, mode: 0o700 })
  const client = openS3Client(config)
  const keyOf = (name: string): string => `${config.prefix}${name}`
  return {
    name: `${config.endpoint}/${config.bucket}/${config.prefix}`,
    isNear: false,
    workFolder,
    keep: async (file, name, signal) => {
      await upload(client, { file, key: keyOf(name), partBytes, signal })
      rmSync(file)
    },
    fetch: async (name, signal) => {
      const object = await client.get(keyOf(name), signal)
      if (object === undefined) return undefined
      const file = join(workFolder, `${randomBytes(8).toString('hex')}.fetched`)
      const remove = (): void => rmSync(file, { force: true })
      try {
        await pipeline(object, createWriteStream(file, { mode: 0o600 }), { signal })
      } catch (cause) {
        remove()
        throw brokenOff(config, cause)
      }
      return { file, [Symbol.dispose]: remove }
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

async function upload(
  client: S3Client,
  what: {
    readonly file: string
    readonly key: string
    readonly partBytes: number
    readonly signal: AbortSignal | undefined
  },
): Promise<void> {
  const { file, key, signal } = what
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  const partBytes = Math.max(what.partBytes, Math.ceil(size / MAX_PARTS))
  const read = async (from: number): Promise<Buffer> => {
    const bytes = Buffer.alloc(Math.min(partBytes, size - from))
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, from)
    if (bytesRead === bytes.length) return bytes
    throw new ArchiveError('archive.disk', `${file} became shorter while it was read`)
  }
  // Awaited here: the file stays open until then.
  if (size <= partBytes) return await client.put(key, await read(0), signal)
  const begun = { key, id: await client.begin(key, signal) }
  try {
    const etags: string[] = []
    for (let from = 0; from < size; from += partBytes) {
      etags.push(await client.putPart(begun, etags.length + 1, await read(from), signal))
    }
    await client.complete(begun, etags, signal)
  } catch (error) {
    // Parts that nobody forgets are paid for; the first reason is the one to tell.
    await client.abandon(begun).catch(() => undefined)
    throw error
  }
}

function brokenOff({ endpoint }: S3Config, cause: unknown): unknown {
  const { code, syscall, message } = cause as NodeJS.ErrnoException
  if (syscall === 'write' || syscall === 'open') return cause // the disk's own
  const why = `${endpoint} broke off (${typeof code === 'string' ? code : message})`
  return new ArchiveError('archive.unavailable', why, { cause })
}
