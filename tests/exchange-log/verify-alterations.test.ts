import type { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Row } from '../../exchange-log/sqlite-rows.ts'
import { readForeignCheckpoint } from '../../exchange-log/verify/checkpoint-check.ts'
import { leafHash } from '../../protocol/merkle-tree.ts'
import { logOfFile } from '../support/log-of-file.ts'
import {
  cutRecords,
  cutTree,
  recommit,
  renumber,
  run,
  setLeaf,
  type Change,
} from './tamper-support.ts'
import { copyOf, tamper, timeOf, told, verify, type WrittenLog } from './verify-support.ts'

const SIZES = [100, 400, 650, 700, 3000]
const { tsa, log: original } = await logOfFile(SIZES)

const exchangeIdAt = (log: WrittenLog, position: number): string => {
  let id = ''
  tamper(log, 'exchange-log.db', (db) => {
    const sql = 'SELECT exchangeId FROM record WHERE position = ?'
    id = db.prepare(sql).get(position)!.exchangeId as string
  })
  return id
}

async function found(file: Parameters<typeof tamper>[1], change: Change): Promise<string[]> {
  const log = copyOf(original)
  tamper(log, file, change)
  return told(await verify(log, { all: true, anchors: [tsa.root] }))
}

describe('a record', () => {
  it.each([
    ['client', 'KH-TEST/COM/OTHER/KYC'],
    ['bodyBytes', 1],
    ['userId', 'somebody'],
    ['status', 200],
    ['peer', null],
    ['recordedAt', 253_402_300_800_000_0],
  ])('with another %s is found altered, and named', async (column, value) => {
    const log = copyOf(original)
    const sql = `UPDATE record SET ${column} = ? WHERE position = 777`
    tamper(log, 'exchange-log.db', run(sql, value))
    const { findings } = await verify(log)
    const exchangeId = exchangeIdAt(original, 777)
    expect(findings).toMatchObject([{ code: 'record.altered', position: 777, exchangeId }])
  })

  it('with another salt, or another commitment, is found altered', async () => {
    const set = (column: string) =>
      run(`UPDATE record SET ${column} = ? WHERE position = 5`, Buffer.alloc(32, 5))
    expect(await found('exchange-log.db', set('salt'))).toEqual(['record.altered 5'])
    expect(await found('exchange-log.db', set('commitment'))).toEqual(['record.altered 5'])
  })

  it('that was altered together with its commitment is found', async () => {
    const change = (db: DatabaseSync): void => {
      run("UPDATE record SET client = 'KH-TEST/COM/OTHER/X' WHERE position = 2050")(db)
      recommit(db, 2050)
    }
    expect(await found('exchange-log.db', change)).toEqual(['record.altered 2050'])
  })

  it('that was altered together with its leaf is named by its commitment', async () => {
    const log = copyOf(original)
    tamper(log, 'exchange-log.db', run("UPDATE record SET client = 'x' WHERE position = 500"))
    let leaf: Buffer = Buffer.alloc(0)
    tamper(copyOf(log), 'exchange-log.db', (db) => (leaf = leafHash(recommit(db, 500))))
    tamper(log, 'log-tree.db', (db) => setLeaf(db, 500, leaf))
    expect(told(await verify(log, { all: true }))).toEqual([
      'tile.altered 500',
      'record.altered 500',
    ])
  })

  it('that was altered with commitment and leaf is found among those of its checkpoint', async () => {
    const log = copyOf(original)
    let leaf: Buffer = Buffer.alloc(0)
    tamper(log, 'exchange-log.db', (db) => {
      run("UPDATE record SET client = 'x' WHERE position = 680")(db)
      leaf = leafHash(recommit(db, 680))
    })
    tamper(log, 'log-tree.db', (db) => setLeaf(db, 680, leaf))
    // The upper tile still has the hash of what was signed.
    expect(told(await verify(log, { all: true }))).toEqual(['record.altered 651-700'])
  })

  it('that was removed is missing', async () => {
    const change = run('DELETE FROM record WHERE position IN (256, 300, 301)')
    expect(await found('exchange-log.db', change)).toEqual([
      'record.missing 256',
      'record.missing 300-301',
    ])
  })

  it('that was removed, with those behind it renumbered, is missing', async () => {
    const change = (db: DatabaseSync): void => {
      run('DELETE FROM record WHERE position = 333')(db)
      run('DELETE FROM recordKey WHERE position = 333')(db)
      run('DELETE FROM content WHERE owner = 333')(db)
      renumber(db, 334, -1)
    }
    expect(await found('exchange-log.db', change)).toEqual([
      'record.missing 333',
      'record.missing 3000',
    ])
  })

  it.each([4_000_000_000, 2 ** 52, '9223372036854775807', '9e999', "'many'"])(
    'that was never there is not looked for, whatever the log says that it gave: %s',
    async (seq) => {
      const log = copyOf(original)
      const sql = `UPDATE sqlite_sequence SET seq = ${seq} WHERE name = 'record'`
      tamper(log, 'exchange-log.db', run(sql))
      const result = await verify(log, { all: true })
      const isPosition = typeof seq === 'number' || /^\d+$/.test(seq)
      const last = Math.min(Number(seq), Number.MAX_SAFE_INTEGER)
      expect(told(result)).toEqual(isPosition ? [`record.missing 3001-${last}`] : [])
      expect(result.records).toBe(3000)
    },
  )

  it.each([2 ** 52, -(2 ** 52), 0])(
    'that was put at %d, far from all others, is found',
    async (position) => {
      const change = run('UPDATE record SET position = ? WHERE position = 3000', position)
      expect(await found('exchange-log.db', change)).toEqual(
        position > 0
          ? [`record.missing 3000-${position - 1}`, `content.missing ${position}`]
          : [`record.inserted ${position}`, 'record.missing 3000'],
      )
    },
  )

  it('that was inserted is found', async () => {
    const change = (db: DatabaseSync): void => {
      renumber(db, 1000, 1)
      const columns = db.prepare('SELECT * FROM record WHERE position = 42').get() as Row
      const names = Object.keys(columns)
      const values = { ...columns, position: 1000, userId: 'nobody' } as Row
      const sql = `INSERT INTO record (${names.join()}) VALUES (${names.map(() => '?').join()})`
      db.prepare(sql).run(...names.map((name) => values[name]!))
      recommit(db, 1000)
    }
    const codes = await found('exchange-log.db', change)
    expect(codes.filter((code) => code.startsWith('record'))).toEqual(['record.inserted 1000'])
  })

  it.each([
    [10, 11],
    [10, 2500],
    [2999, 3000],
  ])('that was swapped with another is found: %i and %i', async (one, other) => {
    const change = (db: DatabaseSync): void => {
      const move = db.prepare('UPDATE record SET position = ? WHERE position = ?')
      move.run(-1, one)
      move.run(one, other)
      move.run(other, -1)
    }
    expect(await found('exchange-log.db', change)).toEqual([
      `record.swapped ${one}`,
      `record.swapped ${other}`,
    ])
  })

  it('that was back-dated is found, and called that', async () => {
    const change = (db: DatabaseSync): void => {
      const before = timeOf(1200).getTime()
      run('UPDATE record SET at = ?, recordedAt = ? WHERE position = 1500', before, before)(db)
      recommit(db, 1500)
    }
    expect(await found('exchange-log.db', change)).toEqual(['record.back-dated 1500'])
  })

  it('that holds a number which is none is unreadable, and named', async () => {
    const change = (db: DatabaseSync): void =>
      db.exec('UPDATE record SET bodyBytes = 9007199254740993 WHERE position = 2100')
    expect(await found('exchange-log.db', change)).toEqual(['record.unreadable 2100'])
  })

  it('is found missing at the end while the tree knows it', async () => {
    const change = run('DELETE FROM record WHERE position > 2990')
    expect(await found('exchange-log.db', change)).toEqual(['record.missing 2991-3000'])
  })

  it('whose removal took the end of the tree with it is missing for whoever has seen it', async () => {
    const log = copyOf(original)
    let witnessed = ''
    tamper(log, 'log-tree.db', (db) => {
      witnessed = db.prepare('SELECT note FROM checkpoint WHERE size = 3000').get()!.note as string
    })
    // Cut back to the state of a moment that was: everything in it verifies.
    tamper(log, 'exchange-log.db', (db) => cutRecords(db, 700))
    tamper(log, 'log-tree.db', (db) => cutTree(db, 700))
    expect(told(await verify(log, { all: true }))).toEqual([])
    expect(
      told(await verify(log, { foreign: [readForeignCheckpoint(witnessed, log.key.verifier)] })),
    ).toEqual(['record.missing 701-3000'])
  })
})
