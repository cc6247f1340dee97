import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { archiveNext, archivesOf } from '../../exchange-log/archive/archiver.ts'
import { s3Place } from '../../exchange-log/archive/s3-place.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { startS3Server, type S3Server } from '../support/s3-server.ts'
import { MOMENTS } from './archive-until-killed.ts'
import { openArchiving, verifyWithArchives } from './archive-support.ts'
import { copyOf, integrate, told, type WrittenLog } from './verify-support.ts'

const PROGRAM = join(import.meta.dirname, 'archive-until-killed.ts')
const RANDOM_KILLS = 4

const { log: original } = await logOfFile([100, 700, 1000])
let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server[Symbol.asyncDispose]())

/** @returns whether it was killed; else it came to its end. */
async function runUntilKilled(
  { folder, key }: WrittenLog,
  { moment, s3File = '-', afterMs }: { moment: string; s3File?: string; afterMs?: number },
): Promise<boolean> {
  const keyFile = join(folder, 'log.key')
  writeFileSync(keyFile, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const child = spawn(process.execPath, [PROGRAM, folder, keyFile, moment, s3File], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  if (afterMs !== undefined) {
    await once(child.stdout, 'data')
    setTimeout(() => child.kill('SIGKILL'), afterMs)
  }
  const [status, signal] = (await ended) as [number | null, string | null]
  expect(signal ?? status).toBe(signal === null ? 0 : 'SIGKILL')
  return signal === 'SIGKILL'
}

/** Whoever comes next archives all that was to be archived; every record is where it belongs, once, and verifies. */
async function expectWhole(log: WrittenLog, isS3: boolean): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const place = isS3
    ? resources.use(s3Place(server.config, { workFolder: join(log.folder, 'archiving') }))
    : undefined
  const archiving = resources.use(await openArchiving(log, place ? { place } : {}))
  const { stores, options } = archiving
  await archiveNext(options, { position: 600 }, 'administrator')
  expect((await stores.records.extent()).first).toBe(601)
  await integrate(stores, log.key)
  // What was recorded twice because it was cut off in between is one range twice.
  const byRange = new Map((await archivesOf(stores)).map((event) => [event.first, event]))
  const files = [...byRange.values()].map(({ archive }) =>
    isS3 ? server.fileOf(`gateway/${archive}`) : join(log.folder, 'archives', archive),
  )
  const result = await verifyWithArchives(log, files)
  expect(told(result)).toEqual([])
  expect(result.from).toBe(1)
  expect(result.to).toBeGreaterThan(1000)
}

describe.each(['folder', 's3'] as const)('an archiver into a %s that is killed', (kind) => {
  const isS3 = kind === 's3'
  const s3FileOf = (log: WrittenLog): string => {
    if (!isS3) return '-'
    const file = join(log.folder, 's3.json')
    writeFileSync(file, JSON.stringify(server.config))
    return file
  }

  it.each(MOMENTS)(
    '%s: loses nothing, and is taken up again',
    async (moment) => {
      const log = copyOf(original)
      expect(await runUntilKilled(log, { moment, s3File: s3FileOf(log) })).toBe(true)
      await expectWhole(log, isS3)
    },
    60_000,
  )

  it('at any moment, again and again: loses nothing, and leaves nothing half written', async () => {
    const log = copyOf(original)
    const s3File = s3FileOf(log)
    for (let kill = 0; kill < RANDOM_KILLS; kill += 1) {
      const afterMs = Math.random() * 1500
      await runUntilKilled(log, { moment: 'never', s3File, afterMs })
    }
    await expectWhole(log, isS3)
    if (isS3) expect(readdirSync(join(log.folder, 'archiving'))).toEqual([])
  }, 120_000)
})
