import { createHash } from 'node:crypto'
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { syncFile } from './archive-file.ts'

/** Where archives are put. */
export interface ArchivePlace {
  /** As the log names it. */
  readonly name: string
  /** Whether reading what is there costs no more than opening it. */
  readonly isNear: boolean
  /** Where a file is made before it is put there. */
  readonly workFolder: string
  /**
   * Puts a file there under a name. When it resolves, the file survives a power cut; `file` may be gone then.
   *
   * @throws ArchiveError; what the disk says.
   */
  keep(file: string, name: string, signal?: AbortSignal): Promise<void>
  /** What is there now, in a file to be read; undefined when there is nothing. @throws as {@link keep} does. */
  fetch(name: string, signal?: AbortSignal): Promise<FetchedFile | undefined>
}
export interface FetchedFile extends Disposable {
  readonly file: string
}

const UNFINISHED = /^exchange-log-.*\.(new|made|made\.new)$/
/** Whoever else writes into the same folder has written to its file by then. */
const ABANDONED_MS = 3_600_000

/** A folder, on this machine or mounted. What was left there by a process that was killed is removed. */
export function folderPlace(folder: string): ArchivePlace {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(folder).filter((one) => UNFINISHED.test(one))) {
    const file = join(folder, name)
    const status = statSync(file, { throwIfNoEntry: false })
    if (status && Date.now() - status.mtimeMs > ABANDONED_MS) removeFile(file)
  }
  return {
    name: folder,
    isNear: true,
    workFolder: folder,
    keep: async (file, name) => {
      renameSync(file, join(folder, name))
      syncFile(folder) // the name is in the folder, not in the file
    },
    fetch: async (name) => {
      const file = join(folder, name)
      return existsSync(file) ? { file, [Symbol.dispose]: () => undefined } : undefined
    },
  }
}

/** Lower-case hex. */
export async function sha256OfFile(file: string): Promise<string> {
  const digest = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 1_048_576 }), digest)
  return digest.digest('hex')
}

export function removeFile(file: string): void {
  rmSync(file, { force: true })
}
