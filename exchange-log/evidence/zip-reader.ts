/**
 * Reads the one kind of ZIP that evidence is: stored entries, one behind the other, nothing between, before or
 * behind them. All of it is set by whoever made the file. Nothing is ever written.
 */
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { openPromise, type Entry, type LocalFileHeader, type ZipFile } from 'yauzl'
import { EvidenceError } from './evidence-errors.ts'
import { ALL_FILES, bodyFile, MESSAGES } from './layout.ts'

export interface ArchiveEntry {
  readonly name: string
  readonly size: number
  readonly crc32: number
  open(): Promise<Readable>
}
export interface EvidenceArchive extends Disposable {
  /** In the order in which they stand in the file. */
  readonly entries: readonly ArchiveEntry[]
}

/** Of every file but bodies: they are held in memory. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024
const MAX_ENTRIES = ALL_FILES.size
const BODIES: ReadonlySet<string> = new Set(MESSAGES.map(bodyFile))
const STORED = 0
/** Bits of APPNOTE §4.4.4 that may be set: sizes behind the content; names are UTF-8. */
const FLAGS = 0x0808
const LOCAL_HEADER_BYTES = 30
/** What stands behind a stored entry whose size was not known: nothing, or a descriptor, of ZIP or ZIP64. */
const DESCRIPTORS: ReadonlySet<number> = new Set([0, 16, 24])
const FILE_TYPE = 0o170000
const REGULAR = 0o100000

/** @throws EvidenceError; system errors when the file cannot be read. */
export async function openEvidenceArchive(file: string): Promise<EvidenceArchive> {
  if (!(await stat(file)).isFile()) throw notAnArchive('it is not a file')
  const zip = await openZip(file)
  try {
    const entries = await readEntries(zip)
    await checkPlaces(zip, entries)
    return {
      entries: entries.map((entry) => toEntry(zip, entry)),
      [Symbol.dispose]: () => zip.close(),
    }
  } catch (error) {
    zip.close()
    throw asEvidenceError(error)
  }
}

async function openZip(file: string): Promise<ZipFile> {
  try {
    return await openPromise(file, { autoClose: false, lazyEntries: true, decodeStrings: false })
  } catch (error) {
    throw asEvidenceError(error)
  }
}

function toEntry(zip: ZipFile, entry: Entry): ArchiveEntry {
  return {
    name: nameOf(entry),
    size: entry.uncompressedSize,
    crc32: entry.crc32,
    open: async () => {
      try {
        return await zip.openReadStreamPromise(entry)
      } catch (error) {
        throw asEvidenceError(error)
      }
    },
  }
}

/** The library throws bare errors about the bytes of the archive; those of the system have a code. */
function asEvidenceError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (error instanceof EvidenceError || code !== undefined) return error
  return notAnArchive(message, error)
}

function notAnArchive(why: string, cause?: unknown): EvidenceError {
  return new EvidenceError('evidence.not-an-archive', `this is no archive of evidence: ${why}`, {
    cause,
  })
}

async function readEntries(zip: ZipFile): Promise<Entry[]> {
  if (zip.entryCount > MAX_ENTRIES) {
    throw new EvidenceError('evidence.too-large', `it has ${zip.entryCount} entries`)
  }
  const entries: Entry[] = []
  const names = new Set<string>()
  for await (const entry of zip.eachEntry()) {
    const name = nameOf(entry)
    checkName(name)
    if (names.has(name)) throw refused(name, 'it stands twice')
    names.add(name)
    checkEntry(entry, name)
    entries.push(entry)
  }
  return entries
}

/** Names are ASCII; what is none stays visible. */
function nameOf({ fileNameRaw }: Entry): string {
  return fileNameRaw.toString('latin1')
}

function checkName(name: string): void {
  if (ALL_FILES.has(name)) return
  const shown = JSON.stringify(name.slice(0, 100))
  if (/^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|[\\\0]/.test(name)) {
    throw refused(shown, 'its name leads out of the folder')
  }
  if (name.endsWith('/')) throw refused(shown, 'it is a folder')
  throw new EvidenceError('evidence.file-extra', `${shown} does not belong to evidence`)
}

function checkEntry(entry: Entry, name: string): void {
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE
  if (type !== 0 && type !== REGULAR) throw refused(name, 'it is a link or a special file')
  if (entry.compressionMethod !== STORED) throw refused(name, 'it is compressed')
  if ((entry.generalPurposeBitFlag & ~FLAGS) !== 0)
    throw refused(name, 'it is encrypted or patched')
  if (entry.compressedSize !== entry.uncompressedSize) throw refused(name, 'it has two sizes')
  if (!BODIES.has(name) && entry.uncompressedSize > MAX_FILE_BYTES) {
    throw new EvidenceError('evidence.too-large', `${name} has ${entry.uncompressedSize} bytes`)
  }
}

function refused(name: string, why: string): EvidenceError {
  return new EvidenceError('evidence.entry-refused', `${name} is refused: ${why}`)
}

/** Entries that overlap, that are hidden, or that other readers see differently do not get through here. */
async function checkPlaces(zip: ZipFile, entries: readonly Entry[]): Promise<void> {
  const ordered = entries.toSorted(
    (a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader,
  )
  let end = 0
  let mayFollow: ReadonlySet<number> = new Set([0])
  for (const entry of ordered) {
    const name = nameOf(entry)
    if (!mayFollow.has(entry.relativeOffsetOfLocalHeader - end)) {
      throw refused(name, 'it overlaps with another, or something is hidden before it')
    }
    const header = await zip.readLocalFileHeaderPromise(entry)
    checkLocalHeader(entry, header)
    end = header.fileDataStart + entry.compressedSize
    mayFollow = DESCRIPTORS
    const { fileNameLength, extraFieldLength } = header
    const length = LOCAL_HEADER_BYTES + fileNameLength + extraFieldLength
    if (header.fileDataStart - entry.relativeOffsetOfLocalHeader !== length) {
      throw refused(name, 'its content is elsewhere')
    }
  }
  if (end > zip.fileSize) throw notAnArchive('an entry ends behind the file')
}

function checkLocalHeader(entry: Entry, header: LocalFileHeader): void {
  const name = nameOf(entry)
  const isSame =
    header.fileName.equals(entry.fileNameRaw) &&
    header.compressionMethod === entry.compressionMethod &&
    header.generalPurposeBitFlag === entry.generalPurposeBitFlag
  if (!isSame) throw refused(name, 'its two headers differ')
}
