import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { PART_BYTES } from '../../exchange-log/sealing.ts'
import { requestEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import {
  bodyOf,
  HEADERS,
  message,
  openLog,
  random,
  readBody,
  storedBodyOf,
  type OpenLog,
} from './support.ts'

const keep = (open: OpenLog, body: Buffer, id = 'x'): Promise<number> =>
  open.log.record(requestEntry(id), message(bodyOf(body)))

describe('what is kept of messages', () => {
  it.each([
    ['empty', 0],
    ['small', 11],
    ['of one part', PART_BYTES],
    ['of one part and a byte', PART_BYTES + 1],
    ['of four parts', 4 * PART_BYTES],
  ])('comes back as it was: a body that is %s', async (_name, size) => {
    await using open = await openLog(temporaryFolder())
    const body = random(size)
    const inMemory = await keep(open, body)
    const stored = await open.log.record(requestEntry('y'), message(storedBodyOf(body)))
    for (const position of [inMemory, stored]) {
      expect((await open.content.headers(position))?.toString('latin1')).toBe(HEADERS)
      expect(Buffer.compare((await readBody(open.content, position))!, body)).toBe(0)
    }
    const [record] = await open.records.entries('y')
    expect(record?.kept).toBe('full')
  })

  it('comes back after a start', async () => {
    const dir = temporaryFolder()
    const body = random(1000)
    const position = await openLog(dir).then(async (open) => {
      await using closing = open
      return keep(closing, body)
    })
    await using again = await openLog(dir)
    expect(await readBody(again.content, position)).toEqual(body)
  })

  it('is what the rule of the service says, and the record tells', async () => {
    const rules = [
      { service: 'KH/GOV/REG/*', keep: 'digest' },
      { classification: 'sensitive', keep: 'none' },
    ] as const
    await using open = await openLog(temporaryFolder(), { rules: [...rules] })
    const record = (service: string): Promise<number> =>
      open.log.record(requestEntry(service, { service }), message(bodyOf(random(10))))
    const digest = await record('KH/GOV/REG/POP/echo')
    const none = await record('KH/GOV/HOSPITAL/CARE/health')
    const full = await record('KH/GOV/OTHER/S/echo')
    const shown = async (position: number): Promise<unknown[]> => [
      (await open.records.after(position - 1, 1))[0]?.kept,
      (await open.content.headers(position))?.toString('latin1'),
      (await readBody(open.content, position))?.length,
    ]
    expect(await shown(digest)).toEqual(['digest', HEADERS, undefined])
    expect(await shown(none)).toEqual(['none', undefined, undefined])
    expect(await shown(full)).toEqual(['full', HEADERS, 10])
  })

  it('is nowhere on the disk in plain', async () => {
    const dir = temporaryFolder()
    const secret = 'ទិន្នន័យ-personal-data-4711'
    await using open = await openLog(dir)
    await keep(open, Buffer.from(secret.repeat(10)))
    await open.log.record(requestEntry('y'), message(storedBodyOf(Buffer.from(secret.repeat(9)))))
    for (const name of readdirSync(dir)) {
      const bytes = readFileSync(join(dir, name))
      expect([name, bytes.includes(secret), bytes.includes('x-road-userid:user')]).toEqual([
        name,
        false,
        false,
      ])
    }
  })
})

describe('what was kept and altered', () => {
  /** @returns the reader's error for each of its answers. */
  const faultOf = async (alter: (db: DatabaseSync) => void): Promise<string> => {
    const dir = temporaryFolder()
    await using open = await openLog(dir)
    await keep(open, random(3 * PART_BYTES), 'a')
    await keep(open, random(3 * PART_BYTES), 'b')
    {
      using db = new DatabaseSync(join(dir, 'exchange-log.db'))
      alter(db)
    }
    const read = async (): Promise<void> => {
      await open.content.headers(1)
      await readBody(open.content, 1)
    }
    return await read().then(
      () => 'nothing',
      (error: Error) => error.name,
    )
  }
  const sql =
    (...statements: string[]) =>
    (db: DatabaseSync): void =>
      db.exec(statements.join(';'))

  it('is told from what was not', async () => {
    expect(await faultOf(() => undefined)).toBe('nothing')
  })

  it.each([
    ['a part was cut off', sql('DELETE FROM content WHERE owner = 1 AND part = 3')],
    ['the body was cut off', sql('DELETE FROM content WHERE owner = 1 AND part > 0')],
    ['all parts are gone, and the key is not', sql('DELETE FROM content WHERE owner = 1')],
    [
      'parts were swapped',
      sql(
        'UPDATE content SET part = 9 WHERE owner = 1 AND part = 1',
        'UPDATE content SET part = 1 WHERE owner = 1 AND part = 2',
        'UPDATE content SET part = 2 WHERE owner = 1 AND part = 9',
      ),
    ],
    [
      'a part is that of another record',
      sql(
        `UPDATE content SET bytes = (SELECT bytes FROM content WHERE owner = 2 AND part = 1)
          WHERE owner = 1 AND part = 1`,
      ),
    ],
    [
      'parts and key are those of another record',
      sql(
        'DELETE FROM content WHERE owner = 1',
        'UPDATE content SET owner = 1 WHERE owner = 2',
        'UPDATE recordKey SET wrapped = (SELECT wrapped FROM recordKey WHERE position = 2) WHERE position = 1',
      ),
    ],
    [
      'the record is another one',
      sql(
        'UPDATE record SET commitment = (SELECT commitment FROM record WHERE position = 2) WHERE position = 1',
      ),
    ],
    ['the key was cut', sql('UPDATE recordKey SET wrapped = substr(wrapped, 1, 40)')],
  ])('is found: %s', async (_name, alter) => {
    expect(await faultOf(alter)).toBe('LogContentError')
  })

  it.each([0, 1, 40, 70, 80, 110])('is found: byte %i of the key', async (index) => {
    const flip = (db: DatabaseSync): void => {
      const { wrapped } = db.prepare('SELECT wrapped FROM recordKey WHERE position = 1').get() as {
        wrapped: Uint8Array
      }
      wrapped[index]! ^= 1
      db.prepare('UPDATE recordKey SET wrapped = ? WHERE position = 1').run(wrapped)
    }
    expect(await faultOf(flip)).toBe('LogContentError')
  })
})
