/** Each alteration that the owner of the tables can make, on a real server, is found and named. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setUpPostgresLog } from '../../exchange-log/postgres-setup.ts'
import { newSalt, type LogRecord } from '../../exchange-log/record.ts'
import { readForeignCheckpoint } from '../../exchange-log/verify/checkpoint-check.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import { HASH_BYTES, leafHash } from '../../protocol/merkle-tree.ts'
import { createTsa, type TestTsa } from '../pki/tsp-support.ts'
import { OWNER, startPostgres, type PostgresServer } from '../support/postgres.ts'
import {
  insertRecord,
  ownerOf,
  READER,
  recommit,
  setHash,
  verify,
  writePostgresLog,
  type PostgresLog,
  type Sql,
} from './verify-postgres-support.ts'
import { timeOf, told } from './verify-support.ts'

const SIZES = [100, 400, 650, 700, 2600]
let server: PostgresServer
let tsa: TestTsa
let original: PostgresLog
beforeAll(async () => {
  ;[server, tsa] = await Promise.all([startPostgres(), createTsa()])
  await server.run(`CREATE ROLE ${READER} LOGIN`)
  original = await writePostgresLog(server, SIZES, tsa)
  const owner = server.url(OWNER, original.database)
  await setUpPostgresLog(owner, READER, { readOnly: true })
}, 120_000)
afterAll(async () => {
  tsa[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

type Change = (sql: Sql, database: string) => Promise<unknown>
const run =
  (text: string): Change =>
  (sql) =>
    sql(text)

async function altered(change: Change): Promise<PostgresLog> {
  const database = await server.copyOf(original.database)
  await change(ownerOf(server, database), database)
  return { ...original, database }
}

async function found(change: Change): Promise<string[]> {
  const log = await altered(change)
  return told(await verify(server, log, { all: true, anchors: [tsa.root] }))
}

const exchangeIdAt = async (position: number): Promise<unknown> => {
  const text = `SELECT "exchangeId" FROM spean.record WHERE position = ${position}`
  return (await ownerOf(server, original.database)(text))[0]!['exchangeId']
}

const MOVE = (from: number, by: number): string => `
  UPDATE spean.record SET position = -position WHERE position >= ${from};
  UPDATE spean.record SET position = ${by} - position WHERE position < 0;
  UPDATE spean."recordKey" SET position = -position WHERE position >= ${from};
  UPDATE spean."recordKey" SET position = ${by} - position WHERE position < 0;
  UPDATE spean.content SET owner = -owner WHERE owner >= ${from};
  UPDATE spean.content SET owner = ${by} - owner WHERE owner < 0`

it('a whole log verifies, with signatures and time-stamps, by a role that can only read', async () => {
  const options = { all: true, signatures: true, anchors: [tsa.root] }
  const result = await verify(server, original, options)
  expect(result).toMatchObject({
    ...{ findings: [], from: 1, to: 2600, treeSize: 2600, records: 2600, signatures: 2600 },
    ...{ checkpoints: SIZES.length, stamps: 1, stampedUpTo: 700 },
  })
  const writes = [
    'SELECT spean.prepare()',
    'UPDATE spean.extent SET last = 1',
    'SELECT spean."removeUpTo"(5)',
    `INSERT INTO spean.certificate VALUES ('x', '', '')`,
  ]
  for (const text of writes) {
    await expect(server.run(text, original.database, READER)).rejects.toMatchObject({
      code: '42501',
    })
  }
})

describe('a record in PostgreSQL', () => {
  it.each([
    ['client', `'KH-TEST/COM/OTHER/KYC'`],
    ['"bodyBytes"', '1'],
    ['"bodyBytes"', '9007199254740993'],
    ['"userId"', `'somebody'`],
    ['target', String.raw`'\q'`],
    ['peer', 'NULL'],
    ['at', `'infinity'`],
    ['at', `'0044-03-15 12:00:00+00 BC'`],
    ['at', `at + interval '1 microsecond'`],
    ['salt', `'\\x00'`],
    ['commitment', `decode(repeat('05', 32), 'hex')`],
  ])('whose %s became %s is found altered, and named', async (column, value) => {
    const log = await altered(
      run(`UPDATE spean.record SET ${column} = ${value} WHERE position = 777`),
    )
    const { findings } = await verify(server, log)
    const exchangeId = await exchangeIdAt(777)
    expect(findings).toMatchObject([{ code: 'record.altered', position: 777, exchangeId }])
  })

  it('that lost what it must have is found altered', async () => {
    const change =
      run(`ALTER TABLE spean.record ALTER salt DROP NOT NULL, ALTER commitment DROP NOT NULL;
      UPDATE spean.record SET salt = NULL WHERE position = 5;
      UPDATE spean.record SET commitment = NULL WHERE position = 7`)
    expect(await found(change)).toEqual(['record.altered 5', 'record.altered 7'])
  })

  it('that was altered together with its commitment is found', async () => {
    const change: Change = async (sql, database) => {
      await sql(`UPDATE spean.record SET client = 'KH-TEST/COM/OTHER/X' WHERE position = 2050`)
      await recommit(server, database, 2050)
    }
    expect(await found(change)).toEqual(['record.altered 2050'])
  })

  it('that was altered with commitment and leaf is found among those of its checkpoint', async () => {
    const change: Change = async (sql, database) => {
      await sql(`UPDATE spean.record SET client = 'x' WHERE position = 680`)
      const leaf = leafHash(await recommit(server, database, 680))
      await setHash(sql, { level: 0, index: 679 }, leaf)
    }
    expect(await found(change)).toEqual(['record.altered 651-700'])
  })

  it('that was removed is missing, also when those behind it were renumbered', async () => {
    const gone = run('DELETE FROM spean.record WHERE position IN (256, 300, 301)')
    expect(await found(gone)).toEqual(['record.missing 256', 'record.missing 300-301'])
    const closed = run(`DELETE FROM spean.record WHERE position = 333;
      DELETE FROM spean."recordKey" WHERE position = 333;
      DELETE FROM spean.content WHERE owner = 333; ${MOVE(334, -1)}`)
    expect(await found(closed)).toEqual(['record.missing 333', 'record.missing 2600'])
    const end = run('DELETE FROM spean.record WHERE position > 2590')
    expect(await found(end)).toEqual(['record.missing 2591-2600'])
  })

  it('that was inserted is found, between others or at the position of another one', async () => {
    const record = {
      ...{
        exchangeId: randomUUID(),
        kind: 'request' as const,
        side: 'client' as const,
        salt: newSalt(),
      },
      ...{ at: timeOf(999), recordedAt: timeOf(999) },
    } satisfies LogRecord & { salt: Buffer }
    const between: Change = async (sql) => {
      await sql(MOVE(1000, 1))
      await insertRecord(sql, 1000, record)
    }
    expect(await found(between)).toEqual(['record.inserted 1000'])
    for (const recordedAt of [timeOf(998), timeOf(1002)]) {
      const beside: Change = (sql) => insertRecord(sql, 1000, { ...record, recordedAt })
      const log = await altered(beside)
      const { findings, records } = await verify(server, log, { all: true })
      const { exchangeId } = record
      expect(findings).toMatchObject([{ code: 'record.inserted', position: 1000, exchangeId }])
      expect(records).toBe(2600)
    }
  })

  it.each([
    [10, 11],
    [10, 2500],
  ])('that was swapped with another is found: %i and %i', async (one, other) => {
    const change = run(`UPDATE spean.record SET position = -1 WHERE position = ${one};
      UPDATE spean.record SET position = ${one} WHERE position = ${other};
      UPDATE spean.record SET position = ${other} WHERE position = -1`)
    const swapped = [`record.swapped ${one}`, `record.swapped ${other}`]
    expect(await found(change)).toEqual(swapped)
  })

  it('that was back-dated is found, and called that', async () => {
    const before = timeOf(1200).toISOString()
    const change: Change = async (sql, database) => {
      await sql(
        `UPDATE spean.record SET at = '${before}', "recordedAt" = '${before}' WHERE position = 1500`,
      )
      await recommit(server, database, 1500)
    }
    expect(await found(change)).toEqual(['record.back-dated 1500'])
  })

  it('whose key or body is gone without an erasure is named', async () => {
    const change = run(`DELETE FROM spean."recordKey" WHERE position = 44;
      DELETE FROM spean.content WHERE owner = 2045 AND part = 1`)
    expect(await found(change)).toEqual(['content.missing 44', 'content.missing 2045'])
  })

  it('whose removal took the end of the tree with it is missing for whoever has seen it', async () => {
    const [row] = await ownerOf(
      server,
      original.database,
    )('SELECT note FROM spean.checkpoint WHERE size = 2600')
    const log = await altered(
      run(`DELETE FROM spean.record WHERE position > 700;
      DELETE FROM spean."recordKey" WHERE position > 700;
      DELETE FROM spean.content WHERE owner > 700;
      DELETE FROM spean.checkpoint WHERE size > 700;
      DELETE FROM spean.tile WHERE level = 0 AND number > 2;
      UPDATE spean.tile SET hashes = substr(hashes, 1, ${(700 - 512) * HASH_BYTES}) WHERE level = 0 AND number = 2;
      UPDATE spean.tile SET hashes = substr(hashes, 1, ${2 * HASH_BYTES}) WHERE level = 1;
      UPDATE spean.extent SET last = 700`),
    )
    expect(told(await verify(server, log, { all: true }))).toEqual([])
    const foreign = [readForeignCheckpoint(row!['note'] as string, log.key.verifier)]
    expect(told(await verify(server, log, { foreign }))).toEqual(['record.missing 701-2600'])
  })
})

it.each(['4503599627370496', '9223372036854775807'])(
  'positions up to %s that were never given are not gone over one by one',
  async (last) => {
    const log = await altered(run(`UPDATE spean.extent SET last = ${last}`))
    const end = Math.min(Number(last), Number.MAX_SAFE_INTEGER)
    expect(told(await verify(server, log, { all: true }))).toEqual([`record.missing 2601-${end}`])
  },
)

describe('what stands beside the records in PostgreSQL', () => {
  const HASH = Buffer.alloc(HASH_BYTES, 0xee)

  it('is named when a tile was altered, or is gone', async () => {
    const leaf: Change = (sql) => setHash(sql, { level: 0, index: 1279 }, HASH)
    expect(await found(leaf)).toEqual(['tile.altered 1280'])
    const above: Change = (sql) => setHash(sql, { level: 1, index: 2 }, HASH)
    expect(await found(above)).toEqual(['tile.altered 513-768'])
    const gone = run('DELETE FROM spean.tile WHERE level = 0 AND number = 1')
    expect(await found(gone)).toEqual(['tile.missing 257-512'])
  })

  it('is named when a checkpoint or a time-stamp says something else', async () => {
    const note = run(
      `UPDATE spean.checkpoint SET note = replace(note, E'\\n650\\n', E'\\n651\\n') WHERE size = 650`,
    )
    expect(await found(note)).toEqual(['checkpoint.altered 650'])
    for (const time of ['2020-01-01Z', 'infinity']) {
      const stamp = run(`UPDATE spean.stamp SET "genTime" = '${time}'`)
      expect(await found(stamp)).toEqual(['stamp.altered 700'])
    }
    const token = run(`UPDATE spean.stamp SET token = set_byte(token, length(token) - 9, 1)`)
    expect(await found(token)).toEqual(['stamp.altered 700'])
  })
})

it('a database that goes away is no fault of the log, and says what it is', async () => {
  const database = await server.copyOf(original.database)
  const allow = (isAllowed: boolean): Promise<unknown> =>
    server.run(`ALTER DATABASE ${database} ALLOW_CONNECTIONS ${isAllowed};
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database}'`)
  await using source = await openPostgresSource(server.url(READER, database))
  await allow(false)
  await expect(source.records.extent()).rejects.toMatchObject({ name: 'ConfigError' })
  await expect(source.records.records(0, 9)).rejects.toMatchObject({ name: 'ConfigError' })
  await allow(true)
  expect(await source.records.records(0, 9)).toHaveLength(9)
})
