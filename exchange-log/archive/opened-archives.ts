import { ConfigError } from '../../runtime/config.ts'
import { openReadOnly, type ReadOnlyDatabase } from '../verify/read-only-database.ts'
import { ArchiveError, asArchiveError } from './archive-errors.ts'
import type { ArchiveEvent } from './archive-event.ts'
import { sha256OfFile, type ArchivePlace } from './archive-place.ts'

/** Archives that are open for a while: what is far is not fetched for each part of a body. */
export interface OpenedArchives extends Disposable {
  /** @throws ArchiveError when it is not there, cannot be had now, or is not the one that was put there. */
  read<T>(archive: ArchiveEvent, query: (db: ReadOnlyDatabase) => T): Promise<T>
}

interface Opened extends Disposable {
  readonly db: ReadOnlyDatabase
}

const IDLE_MS = 60_000

export function openArchivesOf(place: ArchivePlace): OpenedArchives {
  const all = new Map<
    string,
    { readonly opening: Promise<Opened>; readonly timer: NodeJS.Timeout }
  >()
  const close = (name: string): void => {
    const one = all.get(name)
    if (one === undefined) return
    all.delete(name)
    clearTimeout(one.timer)
    one.opening.then(
      (opened) => opened[Symbol.dispose](),
      () => undefined, // whoever asked for it was told
    )
  }
  const open = (archive: ArchiveEvent): Promise<Opened> => {
    const name = archive.archive
    const found = all.get(name)
    if (found !== undefined) {
      found.timer.refresh()
      return found.opening
    }
    const opening = take(archive, place)
    const timer = setTimeout(() => close(name), IDLE_MS).unref()
    all.set(name, { opening, timer })
    opening.catch(() => close(name))
    return opening
  }
  return {
    read: async (archive, query) => {
      const { db } = await open(archive)
      try {
        return query(db)
      } catch (cause) {
        close(archive.archive)
        throw damaged(archive, cause)
      }
    },
    [Symbol.dispose]: () => [...all.keys()].forEach(close),
  }
}

/** What is far came over a line and is compared; what is near is proved by each record's commitment, and by its key. */
async function take(archive: ArchiveEvent, place: ArchivePlace): Promise<Opened> {
  const what = `${archive.archive} in ${place.name}`
  const fetched = await place.fetch(archive.archive).catch((cause: unknown) => {
    throw asArchiveError(cause, what)
  })
  if (fetched === undefined) throw new ArchiveError('archive.missing', `${what} is not there`)
  try {
    if (!place.isNear && (await sha256OfFile(fetched.file)) !== archive.sha256) {
      throw new ArchiveError('archive.altered', `${what} is not the file that was put there`)
    }
    const db = openReadOnly(fetched.file)
    const dispose = (): void => {
      db[Symbol.dispose]()
      fetched[Symbol.dispose]()
    }
    return { db, [Symbol.dispose]: dispose }
  } catch (cause) {
    fetched[Symbol.dispose]()
    throw damaged(archive, cause)
  }
}

/** What SQLite says of a file that is no database, or a damaged one. */
function damaged({ archive, place }: ArchiveEvent, cause: unknown): unknown {
  const isSqlite = (cause as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR'
  if (!isSqlite && !(cause instanceof ConfigError)) return cause
  const what = `${archive} in ${place} is damaged: ${(cause as Error).message}`
  return new ArchiveError('archive.altered', what, { cause })
}
