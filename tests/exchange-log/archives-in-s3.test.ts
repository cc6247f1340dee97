import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ArchiveFault } from '../../exchange-log/archive/archive-errors.ts'
import { archiveNext, archivesOf } from '../../exchange-log/archive/archiver.ts'
import { openS3Client, parseCredentials } from '../../exchange-log/archive/s3-client.ts'
import type { S3Config } from '../../exchange-log/archive/s3-config.ts'
import { s3Place } from '../../exchange-log/archive/s3-place.ts'
import { temporaryFolder } from '../pki/support.ts'
import { freePort } from '../support/http.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { startS3Server, writeCredentials, type S3Server } from '../support/s3-server.ts'
import { openArchiving, verifyWithArchives, type Archiving } from './archive-support.ts'
import { copyOf, told, type WrittenLog } from './verify-support.ts'

const { log: original } = await logOfFile([100, 700, 1000])

const UP_TO_600 = { position: 600 }
const PART_BYTES = 65_536

type PlaceOptions = Partial<S3Config> & { readonly partBytes?: number }
async function openInto(
  { config }: S3Server,
  { partBytes, ...changes }: PlaceOptions = {},
  log = copyOf(original),
): Promise<Archiving & { readonly log: WrittenLog }> {
  const options = { workFolder: join(log.folder, 'archiving') }
  const place = s3Place(
    { ...config, ...changes },
    partBytes === undefined ? options : { ...options, partBytes },
  )
  const archiving = await openArchiving(log, { place })
  const close = async (): Promise<void> => {
    await archiving[Symbol.asyncDispose]()
    await place[Symbol.asyncDispose]()
  }
  return { ...archiving, log, [Symbol.asyncDispose]: close }
}

const archive = ({ options }: Archiving) => archiveNext(options, UP_TO_600, 'administrator')
async function expectUntouched({ stores }: Archiving): Promise<void> {
  expect((await stores.records.extent()).first).toBe(1)
  expect(await archivesOf(stores)).toEqual([])
}

describe('archives in an S3-compatible store', () => {
  it.each([undefined, PART_BYTES])(
    'are there before records leave, and verify (parts of %s bytes)',
    async (partBytes) => {
      await using server = await startS3Server()
      await using archiving = await openInto(server, partBytes === undefined ? {} : { partBytes })
      const event = await archive(archiving)
      const place = `${server.config.endpoint}/archives/gateway/`
      expect(event).toMatchObject({ first: 1, last: 600, place })
      const key = `gateway/${event!.archive}`
      expect(server.keys().toSorted()).toEqual([key, `${key}.json`])
      expect(readFileSync(server.fileOf(key)).length).toBeGreaterThan(10 * PART_BYTES)
      expect((await archiving.stores.records.extent()).first).toBe(601)
      const result = await verifyWithArchives(archiving.log, [server.fileOf(key)])
      expect(told(result)).toEqual([])
      expect(result.from).toBe(1)
    },
  )

  it('hold what they were given, byte by byte, also with names that need escaping', async () => {
    await using server = await startS3Server()
    const prefix = 'KH.GOV_1/a-b/'
    const place = s3Place(
      { ...server.config, prefix },
      { workFolder: join(temporaryFolder(), 'w') },
    )
    await using _ = place
    for (const size of [0, 1, 70_000]) {
      const bytes = Buffer.alloc(size, 'ក្រ')
      const file = join(place.workFolder, 'made')
      writeFileSync(file, bytes)
      await place.keep(file, `x-${size}`)
      using back = (await place.fetch(`x-${size}`))!
      expect(readFileSync(back.file).equals(bytes)).toBe(true)
    }
    expect(await place.fetch('absent')).toBeUndefined()
  })
})

describe('an S3-compatible store that does not do what it should', () => {
  it('refuses other credentials, and takes the right ones later', async () => {
    await using server = await startS3Server()
    await using archiving = await openInto(server)
    writeCredentials(server.config, 'WRONG')
    await expect(archive(archiving)).rejects.toMatchObject({
      code: 'archive.refused' satisfies ArchiveFault,
      message: expect.stringContaining('SignatureDoesNotMatch') as string,
    })
    await expectUntouched(archiving)
    expect(server.keys()).toEqual([])
    writeCredentials(server.config, 'S3RVER')
    expect((await archive(archiving))?.last).toBe(600)
  })

  const faults: readonly [string, PlaceOptions, ArchiveFault, RegExp][] = [
    ['has no such bucket', { bucket: 'another' }, 'archive.refused', /NoSuchBucket/],
    [
      'has no such bucket for parts',
      { bucket: 'another', partBytes: PART_BYTES },
      'archive.refused',
      /NoSuchBucket/,
    ],
    ['is another by its certificate', { caFile: '' }, 'archive.unavailable', /SELF_SIGNED/],
    ['is not there', { endpoint: '' }, 'archive.unavailable', /ECONNREFUSED/],
    ['has no credentials', { credentialsFile: '/nonexistent' }, 'archive.refused', /ENOENT/],
  ]
  it.each(faults)('because it %s: nothing leaves the log', async (_, changes, code, message) => {
    await using server = await startS3Server()
    const { caFile: _ca, ...authorities } = server.config
    const wrong: S3Config = { ...server.config, ...changes }
    if (changes.endpoint === '') wrong.endpoint = `https://127.0.0.1:${await freePort()}`
    const { partBytes } = changes
    const place = s3Place(changes.caFile === '' ? authorities : wrong, {
      workFolder: join(temporaryFolder(), 'work'),
      ...(partBytes === undefined ? {} : { partBytes }),
    })
    await using _place = place
    await using archiving = await openArchiving(copyOf(original), { place })
    await expect(archive(archiving)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
    await expectUntouched(archiving)
  })

  it('is killed in the middle: nothing leaves the log, and it is taken up again', async () => {
    await using server = await startS3Server()
    await using archiving = await openInto(server, { partBytes: PART_BYTES })
    const call = archive(archiving).catch((error: unknown) => error)
    while (server.parts() < 3) await new Promise((done) => setTimeout(done, 1))
    await server.kill()
    expect(await call).toMatchObject({ code: 'archive.unavailable' satisfies ArchiveFault })
    await expectUntouched(archiving)
    expect(server.keys()).toEqual([])
    await server.start()
    expect((await archive(archiving))?.last).toBe(600)
    expect((await archiving.stores.records.extent()).first).toBe(601)
  })

  it('gives less, or something else, when it is read back: nothing leaves the log', async () => {
    await using server = await startS3Server()
    await using archiving = await openInto(server)
    const { place } = archiving.options
    for (const spoil of [
      (file: string): void => truncateSync(file, 500_000),
      (file: string): void => writeFileSync(file, flipped(readFileSync(file))),
    ]) {
      const spoiled = {
        ...place,
        keep: async (file: string, name: string) => {
          await place.keep(file, name)
          spoil(server.fileOf(`gateway/${name}`))
        },
      }
      const options = { ...archiving.options, place: spoiled }
      await expect(archive({ ...archiving, options })).rejects.toMatchObject({
        code: expect.stringMatching(/^archive\.(altered|unavailable)$/) as string,
      })
      await expectUntouched(archiving)
    }
    expect((await archive(archiving))?.last).toBe(600)
  })

  it('loses an archive before its records left: it is made again', async () => {
    await using server = await startS3Server()
    await using archiving = await openInto(server)
    const { options, stores } = archiving
    const stopped = (): never => {
      throw new TypeError('the process ended here')
    }
    const records = { ...stores.records, removeUpTo: stopped }
    const cut = { ...options, stores: { ...stores, records } }
    await expect(archiveNext(cut, UP_TO_600, 'administrator')).rejects.toThrow(TypeError)
    const [lost] = await archivesOf(stores)
    truncateSync(server.fileOf(`gateway/${lost!.archive}`), 1000)
    const again = await archive(archiving)
    expect(again).toMatchObject({ first: 1, last: 600 })
    const file = server.fileOf(`gateway/${again!.archive}`)
    expect(told(await verifyWithArchives(archiving.log, [file]))).toEqual([])
  })
})

it('a store that says 200 and then an error has not joined the parts', async () => {
  await using server = await startS3Server()
  await using client = openS3Client(server.config)
  const id = await client.begin('x')
  const etag = await client.putPart({ key: 'x', id }, 1, Buffer.from('one'))
  await expect(client.complete({ key: 'x', id }, [etag, '"ffff"'])).rejects.toMatchObject({
    name: 'ArchiveError',
  })
})

it('credentials are one profile', () => {
  const one = '[default]\naws_access_key_id=A\n aws_secret_access_key = B/+=\r\n'
  expect(parseCredentials(one, 'f')).toEqual({ accessKeyId: 'A', secretAccessKey: 'B/+=' })
  expect(() => parseCredentials(one + one, 'f')).toThrow(/twice/)
  expect(() => parseCredentials('aws_access_key_id=A', 'f')).toThrow(/has no/)
})

function flipped(bytes: Buffer): Buffer {
  bytes[300_000]! ^= 1
  return bytes
}
