import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openArchiveSource } from '../../exchange-log/archive/archive-source.ts'
import { folderPlace, type ArchivePlace } from '../../exchange-log/archive/archive-place.ts'
import {
  archiveNext,
  archivesOf,
  type ArchiverOptions,
} from '../../exchange-log/archive/archiver.ts'
import { openLogStores } from '../../exchange-log/open-log.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { verifyLog, type VerifyResult } from '../../exchange-log/verify/verify-log.ts'
import { inclusionProof, leafHash, verifyInclusion } from '../../protocol/merkle-tree.ts'
import { temporaryFolder } from '../pki/support.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { archivesIn, openArchiving, verifyWithArchives, type Archiving } from './archive-support.ts'
import { run, type Change } from './tamper-support.ts'
import {
  copyOf,
  integrate,
  stampAt,
  tamper,
  timeOf,
  told,
  verify,
  type WrittenLog,
} from './verify-support.ts'

const { tsa, log: original } = await logOfFile([100, 700, 1000])

const open = async (
  log = copyOf(original),
  changes: Partial<ArchiverOptions> = {},
): Promise<Archiving & { readonly log: typeof log }> => ({
  log,
  ...(await openArchiving(log, changes)),
})
const UP_TO_600 = { position: 600 }
const fileOf = (log: WrittenLog, name = archivesIn(log)[0]!): string =>
  join(log.folder, 'archives', name)

async function verifyArchive(file: string, { key }: WrittenLog): Promise<VerifyResult> {
  await using source = openArchiveSource(file)
  const options = { logKey: key.verifier, isExcerpt: true, all: true, signatures: true }
  return await verifyLog(source, { ...options, anchors: [tsa.root] })
}

describe('archiving', () => {
  it('takes records out of the log into a file that verifies by itself', async () => {
    await using archiving = await open()
    const { log, stores, options } = archiving
    const event = await archiveNext(options, UP_TO_600, 'administrator')
    expect(event).toMatchObject({ first: 1, last: 600, place: options.place.name })
    expect(await stores.records.extent()).toMatchObject({ first: 601, last: 1001 })
    expect(await archivesOf(stores)).toEqual([event])

    const result = await verifyArchive(fileOf(log), log)
    expect(told(result)).toEqual([])
    expect(result).toMatchObject({ records: 600, signatures: 600, treeSize: 700, stampedUpTo: 700 })
    expect(told(await verify(log, { all: true }))).toEqual([])
    const about = JSON.parse(readFileSync(`${fileOf(log)}.json`, 'utf8')) as object
    expect(about).toMatchObject({ first: 1, last: 600, sha256: event!.sha256 })
  })

  it('leaves proofs of archived records possible', async () => {
    await using archiving = await open()
    const { stores, options } = archiving
    const [commitment] = await stores.records.commitments(41, 1)
    await archiveNext(options, UP_TO_600, 'administrator')
    const { size, rootHash } = (await stores.tree.head())!
    const proof = await inclusionProof(41, size, tileReader(stores.tree))
    verifyInclusion(proof, { index: 41, size, leaf: leafHash(commitment!) }, rootHash)
  })

  it('has no keys in the file: what is erased later is gone there too', async () => {
    await using archiving = await open()
    const { log, stores, options } = archiving
    await archiveNext(options, UP_TO_600, 'administrator')
    await using source = openArchiveSource(fileOf(log))
    const [record] = await source.records.records(0, 1)
    expect((await source.records.contents(0, 1)).get(1)).toEqual({ hasKey: true, parts: 2 })
    const key = (await stores.records.wrappedKey(1))!
    expect(readFileSync(fileOf(log)).includes(key)).toBe(false)
    await stores.records.erase([record!.position])
    expect(await stores.records.wrappedKey(1)).toBeUndefined()
  })

  it('goes on where it ended, and the whole verifies as one', async () => {
    await using archiving = await open()
    const { log, stores, options } = archiving
    await archiveNext(options, { position: 300 }, 'administrator')
    await archiveNext(options, UP_TO_600, 'administrator')
    await integrate(stores, log.key)
    expect(archivesIn(log)).toHaveLength(2)
    const files = archivesIn(log).map((name) => fileOf(log, name))
    const result = await verifyWithArchives(log, files)
    expect(told(result)).toEqual([])
    expect(result).toMatchObject({ from: 1, to: 1002, records: 1002 })
  })

  it('waits for a month to be over for long enough', async () => {
    const begun = timeOf(1)
    const nextMonth = new Date(Date.UTC(begun.getUTCFullYear(), begun.getUTCMonth() + 1))
    const at = (days: number) => () => new Date(nextMonth.getTime() + days * 86_400_000)
    const log = copyOf(original)
    {
      await using early = await open(log, { clock: at(9.9) })
      await stampAt(early.stores, 1000, tsa)
      expect(await archiveNext(early.options, { endedDaysAgo: 10 }, 'schedule')).toBeUndefined()
    }
    await using due = await open(log, { clock: at(10.1) })
    const event = await archiveNext(due.options, { endedDaysAgo: 10 }, 'schedule')
    expect(event).toMatchObject({ first: 1, last: 1000 })
    expect(await archiveNext(due.options, { endedDaysAgo: 10 }, 'schedule')).toBeUndefined()
  })

  it('refuses records that nobody outside can vouch for', async () => {
    await using archiving = await open()
    const call = archiveNext(archiving.options, { position: 900 }, 'administrator')
    await expect(call).rejects.toMatchObject({ name: 'ArchiveError' })
    expect((await archiving.stores.records.extent()).first).toBe(1)
  })
})

describe('an archive that went wrong', () => {
  const placeThat = (folder: string, changes: Partial<ArchivePlace>): ArchivePlace => ({
    ...folderPlace(folder),
    ...changes,
  })

  it.each([
    ['is cut', (file: string) => writeFileSync(file, readFileSync(file).subarray(0, 500_000))],
    ['has a changed byte', (file: string) => flip(file, 300_000)],
  ])('because it %s is not believed, and nothing is removed', async (_, spoil) => {
    await using archiving = await open()
    const { log, stores, options } = archiving
    const folder = join(log.folder, 'archives')
    const good = folderPlace(folder)
    const place = placeThat(folder, {
      keep: async (file, name) => {
        spoil(file)
        await good.keep(file, name)
      },
    })
    const call = archiveNext({ ...options, place }, UP_TO_600, 'administrator')
    await expect(call).rejects.toMatchObject({ name: 'ArchiveError' })
    expect((await stores.records.extent()).first).toBe(1)
    expect(await archivesOf(stores)).toEqual([])
    expect((await archiveNext(options, UP_TO_600, 'administrator'))?.last).toBe(600)
  })

  it('of a log that was altered before is refused, and the log stays as it is', async () => {
    const log = copyOf(original)
    tamper(log, 'exchange-log.db', run("UPDATE record SET userId = 'x' WHERE position = 55"))
    await using archiving = await open(log)
    const call = archiveNext(archiving.options, UP_TO_600, 'administrator')
    await expect(call).rejects.toThrow(/record\.altered at 55/)
    expect((await archiving.stores.records.extent()).first).toBe(1)
  })

  it.each(['write', 'keep', 'record', 'remove'])(
    'because the process ended at %s is taken up again, and nothing is lost',
    async (moment) => {
      const log = copyOf(original)
      {
        await using first = await open(log)
        const { options, stores } = first
        const stopped = (): never => {
          throw new TypeError('the process ended here')
        }
        const records = {
          ...stores.records,
          ...(moment === 'remove' ? { removeUpTo: stopped } : {}),
        }
        const stop = new AbortController()
        if (moment === 'write') stop.abort()
        const call = archiveNext(
          {
            ...options,
            stores: { ...stores, records },
            signal: stop.signal,
            ...(moment === 'record' ? { record: stopped } : {}),
            ...(moment === 'keep' ? { place: { ...options.place, keep: stopped } } : {}),
          },
          UP_TO_600,
          'administrator',
        )
        await expect(call).rejects.toThrow()
        expect((await stores.records.extent()).first).toBe(1)
      }
      await using second = await open(log)
      await archiveNext(second.options, UP_TO_600, 'administrator')
      expect((await second.stores.records.extent()).first).toBe(601)
      expect(archivesIn(log)).toHaveLength(1)
      expect(told(await verifyArchive(fileOf(log), log))).toEqual([])
      expect(told(await verify(log, { all: true }))).toEqual([])
    },
  )

  it('after it was made is found altered wherever it is changed', async () => {
    await using archiving = await open()
    const { log, options } = archiving
    await archiveNext(options, UP_TO_600, 'administrator')
    const changes: [string, Change][] = [
      ['record.altered 9', run("UPDATE record SET client = 'x' WHERE position = 9")],
      ['record.missing 9', run('DELETE FROM record WHERE position = 9')],
      ['content.missing 9', run('DELETE FROM content WHERE owner = 9')],
      ['stamp.altered 700', run('UPDATE stamp SET genTime = genTime - 1000')],
    ]
    for (const [finding, change] of changes) {
      const copy = join(temporaryFolder(), 'exchange-log.db')
      cpSync(fileOf(log), copy)
      tamper({ ...log, folder: join(copy, '..') }, 'exchange-log.db', change)
      expect(told(await verifyArchive(copy, log))).toContain(finding)
    }
  })
})

it('a log whose first records were removed without an archive says so', async () => {
  const log = copyOf(original)
  {
    await using stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
    await stores.records.removeUpTo(50)
  }
  expect(told(await verify(log, { all: true }))).toEqual(['record.missing 1-50'])
  expect(existsSync(join(log.folder, 'archives'))).toBe(false)
})

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at]! ^= 1
  writeFileSync(file, bytes)
}
