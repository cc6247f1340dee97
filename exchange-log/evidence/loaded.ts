import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { EvidenceError } from './evidence-errors.ts'
import { sumsText } from './archive.ts'
import { bodyFile, FILE, MESSAGES } from './layout.ts'
import { openEvidenceArchive, type ArchiveEntry } from './zip-reader.ts'

/** A file of an archive: its bytes, but for bodies, of which only size and digest are known. */
export interface LoadedFile {
  readonly size: number
  readonly sha256: Buffer
  readonly bytes: Buffer | undefined
}

export interface LoadedEvidence {
  has(name: string): boolean
  /** @throws EvidenceError `evidence.file-missing`. */
  file(name: string): LoadedFile
  /** @throws EvidenceError `evidence.file-missing`. */
  bytes(name: string): Buffer
  /** @throws EvidenceError `evidence.file-missing`, `evidence.malformed` for what is no UTF-8. */
  text(name: string): string
  readonly names: readonly string[]
}

const BODIES: ReadonlySet<string> = new Set(MESSAGES.map(bodyFile))

/**
 * Reads every file once, in constant memory, and compares all of them with SHA256SUMS.
 *
 * @throws EvidenceError
 */
export async function loadEvidence(file: string): Promise<LoadedEvidence> {
  using archive = await openEvidenceArchive(file)
  const files = new Map<string, LoadedFile>()
  for (const entry of archive.entries) files.set(entry.name, await load(entry))
  const loaded = toLoaded(files)
  checkSums(files, loaded.text(FILE.sums))
  return loaded
}

async function load(entry: ArchiveEntry): Promise<LoadedFile> {
  const digest = createHash('sha256')
  const kept: Buffer[] | undefined = BODIES.has(entry.name) ? undefined : []
  let size = 0
  let sum = 0
  for await (const chunk of (await entry.open()) as AsyncIterable<Buffer>) {
    digest.update(chunk)
    sum = crc32(chunk, sum)
    size += chunk.length
    kept?.push(chunk)
  }
  if (size !== entry.size || sum !== entry.crc32) {
    throw new EvidenceError('evidence.sums-wrong', `${entry.name} is not what the archive lists`)
  }
  return { size, sha256: digest.digest(), bytes: kept && Buffer.concat(kept) }
}

function toLoaded(files: ReadonlyMap<string, LoadedFile>): LoadedEvidence {
  const file = (name: string): LoadedFile => {
    const found = files.get(name)
    if (found !== undefined) return found
    throw new EvidenceError('evidence.file-missing', `${name} is missing`)
  }
  const bytes = (name: string): Buffer => file(name).bytes ?? Buffer.alloc(0)
  return {
    has: (name) => files.has(name),
    file,
    bytes,
    text: (name) => {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes(name))
      } catch (cause) {
        if (cause instanceof EvidenceError) throw cause
        throw new EvidenceError('evidence.malformed', `${name} is not UTF-8`, { cause })
      }
    },
    names: [...files.keys()],
  }
}

function checkSums(files: ReadonlyMap<string, LoadedFile>, listed: string): void {
  const sums = new Map<string, string>()
  for (const [name, { sha256 }] of files) {
    if (name !== FILE.sums) sums.set(name, sha256.toString('hex'))
  }
  if (sumsText(sums) === listed) return
  const lines = new Map(
    listed.split('\n').flatMap((line) => {
      const [, digest, name] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? []
      return digest === undefined || name === undefined ? [] : [[name, digest] as const]
    }),
  )
  for (const [name, digest] of lines) {
    if (!sums.has(name)) {
      throw new EvidenceError('evidence.file-missing', `${show(name)} is listed and missing`)
    }
    if (sums.get(name) !== digest) {
      throw new EvidenceError('evidence.sums-wrong', `${name} is not the file that is listed`)
    }
  }
  const unlisted = [...sums.keys()].find((name) => !lines.has(name))
  if (unlisted !== undefined) {
    throw new EvidenceError('evidence.file-extra', `${unlisted} is not listed`)
  }
  throw new EvidenceError('evidence.sums-wrong', `${FILE.sums} is not written as sha256sum does`)
}

const show = (name: string): string => JSON.stringify(name.slice(0, 100))
