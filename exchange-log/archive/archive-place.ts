import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { syncFile } from './archive-file.ts'

/** Where archives are put. */
export interface ArchivePlace {
  /** As the log names it. */
  readonly name: string
  /** Where a file is made before it is put there. */
  readonly workFolder: string
  /** Puts a file there under a name. When it resolves, the file survives a power cut; `file` may be gone then. */
  keep(file: string, name: string): Promise<void>
  /** What is there now, in a file to be read; undefined when there is nothing. */
  fetch(name: string): Promise<FetchedFile | undefined>
}
export interface FetchedFile extends Disposable {
  readonly file: string
}

/** A folder, on this machine or mounted. */
export function folderPlace(folder: string): ArchivePlace {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return {
    name: folder,
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
