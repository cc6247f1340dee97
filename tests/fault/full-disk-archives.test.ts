import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { ArchiveFault } from '../../exchange-log/archive/archive-errors.ts'
import { archiveNext, archivesOf } from '../../exchange-log/archive/archiver.ts'
import { folderPlace } from '../../exchange-log/archive/archive-place.ts'
import { s3Place } from '../../exchange-log/archive/s3-place.ts'
import { openArchiving, verifyWithArchives } from '../exchange-log/archive-support.ts'
import { copyOf, told } from '../exchange-log/verify-support.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { startS3Server } from '../support/s3-server.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const { log: original } = await logOfFile([100, 700, 1000])

const code: ArchiveFault = 'archive.disk'
const UP_TO_600 = { position: 600 }

it('an archive that the disk does not take leaves the log as it is, and gives the room back', async () => {
  using disk = mountSmallDisk(1_000_000)
  const log = copyOf(original)
  const place = folderPlace(disk.dir)
  await using archiving = await openArchiving(log, { place })
  const { stores, options } = archiving
  await expect(archiveNext(options, UP_TO_600, 'administrator')).rejects.toMatchObject({ code })
  expect(readdirSync(disk.dir)).toEqual([])
  expect((await stores.records.extent()).first).toBe(1)
  expect(await archivesOf(stores)).toEqual([])

  const event = await archiveNext(options, { position: 100 }, 'administrator')
  expect(event?.last).toBe(100)
  const result = await verifyWithArchives(log, [join(disk.dir, event!.archive)])
  expect(told(result)).toEqual([])
})

it('an archive in a store that the disk has no room to read back leaves the log as it is', async () => {
  await using server = await startS3Server()
  using disk = mountSmallDisk(6_000_000)
  const log = copyOf(original)
  const place = s3Place(server.config, { workFolder: join(disk.dir, 'work') })
  await using _ = place
  const filling = {
    ...place,
    keep: async (file: string, name: string) => {
      await place.keep(file, name)
      disk.fill()
    },
  }
  await using archiving = await openArchiving(log, { place: filling })
  const { stores, options } = archiving
  await expect(archiveNext(options, UP_TO_600, 'administrator')).rejects.toMatchObject({ code })
  expect((await stores.records.extent()).first).toBe(1)
  expect(readdirSync(place.workFolder)).toEqual([])
  disk.clear()
  expect((await archiveNext({ ...options, place }, UP_TO_600, 'administrator'))?.last).toBe(600)
})
