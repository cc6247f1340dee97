/** Archives the oldest records of a log: written, read back, verified, recorded, and only then removed. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { formatVkey, type NoteVerifier } from '../../protocol/signed-note.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { LogStores } from '../open-log.ts'
import type { LogEntry } from '../record.ts'
import type { StoredCheckpoint } from '../tree-store.ts'
import type { Finding } from '../verify/finding.ts'
import { positionAt } from '../verify/positions.ts'
import { storesSource } from '../verify/stores-source.ts'
import { ArchiveError, asArchiveError, type ArchiveFault } from './archive-errors.ts'
import { archiveDetail, parseArchiveDetail, type ArchiveEvent } from './archive-event.ts'
import { syncFile, writeArchive, type ArchiveRange } from './archive-file.ts'
import { removeFile, sha256OfFile, type ArchivePlace } from './archive-place.ts'
import type { ArchiveToVerify } from './verify-archive-worker.ts'

export interface ArchiverOptions {
  readonly stores: LogStores
  readonly logKey: NoteVerifier
  readonly place: ArchivePlace
  /** Records an event; resolves when it is durable. */
  readonly record: (event: LogEntry) => Promise<number>
  readonly clock: Clock
  readonly signal: AbortSignal
}
/** Up to which record is to be archived. */
export type ArchiveUpTo =
  | { readonly position: number }
  /** Every calendar month (UTC) that ended so many days ago. */
  | { readonly endedDaysAgo: number }

const DAY_MS = 86_400_000
const EVENTS = 1000
/** Faults of an archive that another one makes good. */
const LOST: readonly ArchiveFault[] = ['archive.missing', 'archive.altered']

/**
 * Archives one period: the oldest month, or everything up to a position. Cut off at any moment, it is taken up
 * again by the next call, and nothing is lost.
 *
 * @returns undefined when there is nothing to archive.
 * @throws ArchiveError; LogStoreError and TreeStoreError; what the disk or the place says.
 */
export async function archiveNext(
  options: ArchiverOptions,
  upTo: ArchiveUpTo,
  actor: string,
): Promise<ArchiveEvent | undefined> {
  const { stores } = options
  await finishRemoval(options)
  const { first, last: newest } = await stores.records.extent()
  const last = Math.min(newest, await endOf(options, first, upTo))
  if (last < first) return undefined
  const range = { first, last }
  const seal = await sealOf(stores, last)
  const event = await put(options, range, seal)
  await verifyArchive(options, event)
  await describe(options, event, seal)
  const detail = archiveDetail(event)
  const at = options.clock()
  const entry = { exchangeId: crypto.randomUUID(), kind: 'archive' as const, at, actor, detail }
  await options.record(entry)
  await stores.records.removeUpTo(last)
  return event
}

/** Writes the file, and puts it where archives are. Nothing half written is left behind. */
async function put(
  { stores, place, signal }: ArchiverOptions,
  range: ArchiveRange,
  seal: StoredCheckpoint,
): Promise<ArchiveEvent> {
  const made = join(place.workFolder, `${nameOf(range, randomBytes(8).toString('hex'))}.new`)
  try {
    await writeArchive(made, stores, { range, seal, signal })
    const sha256 = await sha256OfFile(made)
    // Another process that archives the same must not put another file under this name.
    const archive = nameOf(range, sha256.slice(0, 16))
    await place.keep(made, archive, signal)
    return { ...range, archive, sha256, place: place.name }
  } catch (cause) {
    throw asArchiveError(cause, `an archive cannot be put into ${place.name}`)
  } finally {
    removeFile(made)
  }
}

/** The newest archive may be recorded, and its records not removed yet. */
async function finishRemoval(options: ArchiverOptions): Promise<void> {
  const { stores } = options
  const { first } = await stores.records.extent()
  const event = (await archivesOf(stores)).at(-1)
  if (event === undefined || event.last < first) return
  if (event.place !== options.place.name) return // it is made again where archives go now
  try {
    await verifyArchive(options, event)
  } catch (error) {
    // As long as all of its records are in the log, they are archived anew.
    const isLost = error instanceof ArchiveError && LOST.includes(error.code)
    if (isLost && first <= event.first) return
    throw error
  }
  await stores.records.removeUpTo(event.last)
}

/** Every archive that the log tells of, oldest first. */
export async function archivesOf({
  records,
}: {
  readonly records: Pick<LogStores['records'], 'events'>
}): Promise<ArchiveEvent[]> {
  const found: ArchiveEvent[] = []
  for (let after = 0; ;) {
    const events = await records.events(['archive'], after, EVENTS)
    for (const { detail = '' } of events) {
      const event = parseArchiveDetail(detail)
      if (event !== undefined) found.push(event)
    }
    if (events.length < EVENTS) return found
    after = events.at(-1)!.position
  }
}

async function endOf(
  { stores, clock }: ArchiverOptions,
  first: number,
  upTo: ArchiveUpTo,
): Promise<number> {
  if ('position' in upTo) return upTo.position
  const [oldest] = await stores.records.after(first - 1, 1)
  if (oldest === undefined) return 0
  const begun = oldest.recordedAt
  const end = new Date(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() + 1))
  if (clock().getTime() - end.getTime() < upTo.endedDaysAgo * DAY_MS) return 0
  return (await positionAt(storesSource(stores).records, end)) - 1
}

/** What proves the records: the first checkpoint that is stamped and covers them, or one that witnesses cosigned. */
async function sealOf({ tree, stamps }: LogStores, last: number): Promise<StoredCheckpoint> {
  const stamp = await stamps.covering(last)
  const stamped = stamp && (await tree.checkpoint(stamp.size))
  const seal = stamped ?? (await tree.covering(last, { witnessed: true }))
  if (seal !== undefined) return seal
  throw new ArchiveError(
    'archive.unsealed',
    `no checkpoint that is time-stamped or witnessed covers the records up to ${last}`,
  )
}

const nameOf = ({ first, last }: ArchiveRange, distinction: string): string => {
  const padded = [first, last].map((position) => String(position).padStart(12, '0'))
  return `exchange-log-${padded.join('-')}-${distinction}.archive`
}

/** Reads back what is in the place. @throws ArchiveError */
async function verifyArchive(
  { place, logKey, signal }: ArchiverOptions,
  { archive, sha256, first, last }: ArchiveEvent,
): Promise<void> {
  try {
    using back = await place.fetch(archive, signal)
    if (back === undefined) {
      throw new ArchiveError('archive.missing', `${archive} is not in ${place.name}`)
    }
    if ((await sha256OfFile(back.file)) !== sha256) {
      const what = `${archive} in ${place.name} is not the file that was put there`
      throw new ArchiveError('archive.altered', what)
    }
    const wanted = { file: back.file, vkey: formatVkey(logKey), first, last }
    const finding = await runWorker(wanted, signal)
    if (finding === undefined) return
    const { code, detail, position } = finding
    const what = `${archive} does not verify: ${code} at ${position}: ${detail}`
    throw new ArchiveError('archive.unverified', what)
  } catch (cause) {
    throw asArchiveError(cause, `${archive} cannot be read back from ${place.name}`)
  }
}

async function runWorker(
  workerData: ArchiveToVerify,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  const worker = new Worker(new URL('./verify-archive-worker.ts', import.meta.url), { workerData })
  try {
    const [answer] = (await once(worker, 'message', { signal })) as [
      { finding?: Finding; error?: string },
    ]
    if (answer.error !== undefined) throw new ArchiveError('archive.unverified', answer.error)
    return answer.finding
  } finally {
    await worker.terminate()
  }
}

/** For people, and for whoever finds the file in twenty years: what it is and how to verify it. */
async function describe(
  { place, logKey, signal }: ArchiverOptions,
  event: ArchiveEvent,
  seal: StoredCheckpoint,
): Promise<void> {
  const name = `${event.archive}.json`
  const made = join(place.workFolder, `${name}.made`)
  const { archive, sha256, first, last } = event
  const description = {
    ...{ archive, sha256, first, last, log: formatVkey(logKey), checkpoint: seal.note },
    verify: `spean log verify ${archive} --log-key '${formatVkey(logKey)}'`,
  }
  try {
    writeFileAtomically(made, `${JSON.stringify(description, undefined, 2)}\n`, 0o600)
    syncFile(made)
    await place.keep(made, name, signal)
  } catch (cause) {
    throw asArchiveError(cause, `${name} cannot be put into ${place.name}`)
  } finally {
    removeFile(made)
  }
}
