import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { folderPlace } from '../../exchange-log/archive/archive-place.ts'
import { openArchiveSource, type ArchiveSource } from '../../exchange-log/archive/archive-source.ts'
import type { ArchiverOptions } from '../../exchange-log/archive/archiver.ts'
import { chainRecords } from '../../exchange-log/archive/chained-records.ts'
import type { LogKey } from '../../exchange-log/integrator.ts'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import { verifyLog, type VerifyResult } from '../../exchange-log/verify/verify-log.ts'
import { sealedOf, timeOf } from './verify-support.ts'

export interface Archiving extends AsyncDisposable {
  readonly stores: LogStores
  readonly options: ArchiverOptions
}
export interface Log {
  readonly folder: string
  readonly key: LogKey
}

/** Opens a log to be archived, into its folder `archives` unless told otherwise. */
export async function openArchiving(
  { folder, key }: Log,
  changes: Partial<ArchiverOptions> = {},
): Promise<Archiving> {
  const stores = await openLogStores({ stateDir: folder, maxBytes: 2 ** 32 })
  const options: ArchiverOptions = {
    stores,
    logKey: key.verifier,
    place: changes.place ?? folderPlace(join(folder, 'archives')),
    record: (entry) => stores.records.append(sealedOf({ ...entry, recordedAt: entry.at })),
    clock: () => timeOf(1001),
    signal: new AbortController().signal,
    ...changes,
  }
  return { stores, options, [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose]() }
}

export const archivesIn = ({ folder }: Pick<Log, 'folder'>): string[] =>
  readdirSync(join(folder, 'archives')).filter((name) => name.endsWith('.archive'))

/** The log and its archives as one. */
export async function verifyWithArchives(
  { folder, key }: Log,
  files: readonly string[],
): Promise<VerifyResult> {
  await using live = openFolderSource(folder)
  await using all = new AsyncDisposableStack()
  const archives = files.map((file): ArchiveSource => all.use(openArchiveSource(file)))
  const records = chainRecords(live.records, archives, live.keysIn)
  return await verifyLog({ ...live, records }, { logKey: key.verifier, all: true })
}
