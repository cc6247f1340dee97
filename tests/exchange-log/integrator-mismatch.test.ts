import { copyFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { newLogKey, newRecord, temporaryDirectory } from './tree-support.ts'

const key = newLogKey()

interface Log extends AsyncDisposable {
  readonly files: { records: string; tree: string }
  /** Adds records, and looks at them once, as a gateway does that was just started. */
  grow(count: number, using?: ReturnType<typeof newLogKey>): Promise<string | undefined>
  size(): Promise<number | undefined>
  readonly loud: string[]
}

async function openLog(dir: string): Promise<Log> {
  const files = { records: `${dir}/log.db`, tree: `${dir}/tree.db` }
  const loud: string[] = []
  const tell = (line: { err?: unknown }): void => void loud.push(String(line.err))
  const logger = { error: tell, warn: tell, info: () => undefined } as unknown as Logger
  return {
    files,
    loud,
    grow: async (count, signer = key) => {
      await using records = await openSqliteLogStore(files.records, { maxBytes: 1e9 })
      await using tree = openSqliteTreeStore(files.tree)
      for (let i = 0; i < count; i += 1) await records.append(newRecord(`${i}`))
      const options = { records, tree, key: signer, clock: systemClock, logger }
      await using integrator = startIntegrator({ ...options, intervalMs: 3_600_000 })
      await integrator.integrateNow()
      return integrator.health().fault
    },
    size: async () => {
      await using tree = openSqliteTreeStore(files.tree)
      return (await tree.head())?.size
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

function change(file: string, sql: string): void {
  const db = new DatabaseSync(file)
  expect(Number(db.prepare(sql).run().changes)).toBeGreaterThan(0)
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}

/** One bit of a tile's last hash. */
function flipTile(file: string, level: number): void {
  const db = new DatabaseSync(file)
  const where = `level = ${level} ORDER BY number DESC LIMIT 1`
  const row = db.prepare(`SELECT number, hashes FROM tile WHERE ${where}`).get()
  const { number, hashes } = row as { number: number; hashes: Uint8Array }
  hashes[hashes.length - 1]! ^= 1
  db.prepare('UPDATE tile SET hashes = ? WHERE level = ? AND number = ?').run(hashes, level, number)
  db.close()
}

interface Case {
  readonly what: string
  readonly fault: RegExp
  readonly harm: (files: Log['files']) => void
}

const HARMS: Case[] = [
  {
    what: 'a tile of leaves is altered',
    fault: /do not lead to the root/,
    harm: ({ tree }) => flipTile(tree, 0),
  },
  {
    what: 'a tile above is altered',
    fault: /do not lead to the root/,
    harm: ({ tree }) => flipTile(tree, 1),
  },
  {
    what: 'a tile is gone',
    fault: /has not all hashes/,
    harm: ({ tree }) => change(tree, 'DELETE FROM tile WHERE level = 0 AND number = 1'),
  },
  {
    what: 'the checkpoint says another size',
    fault: /another than the store says/,
    harm: ({ tree }) => change(tree, 'UPDATE checkpoint SET size = 299 WHERE size = 300'),
  },
  {
    what: 'the checkpoint says another root',
    fault: /another than the store says/,
    harm: ({ tree }) => change(tree, 'UPDATE checkpoint SET rootHash = zeroblob(32)'),
  },
  {
    what: 'the note is altered',
    fault: /not one of spean/,
    harm: ({ tree }) => change(tree, "UPDATE checkpoint SET note = replace(note, '300', '301')"),
  },
  {
    what: 'the note is none',
    fault: /not one of spean/,
    harm: ({ tree }) => change(tree, "UPDATE checkpoint SET note = ''"),
  },
  {
    what: 'the last record of the tree is altered',
    fault: /record 300 is not the one/,
    harm: ({ records }) =>
      change(records, 'UPDATE record SET commitment = zeroblob(32) WHERE position = 300'),
  },
  {
    what: 'the newest records are removed without a trace',
    fault: /has 300 records, and the log only 29[05]/,
    harm: ({ records }) => {
      change(records, 'DELETE FROM record WHERE position > 290')
      change(records, "UPDATE sqlite_sequence SET seq = 290 WHERE name = 'record'")
    },
  },
]

describe('what does not fit together', () => {
  it.each(HARMS)('$what: nothing is signed, and it is said', async ({ fault, harm }) => {
    using folder = temporaryDirectory()
    await using log = await openLog(folder.dir)
    expect(await log.grow(300)).toBeUndefined()
    const before = await log.size()
    copyFileSync(log.files.tree, `${folder.dir}/tree.copy`)
    copyFileSync(log.files.records, `${folder.dir}/log.copy`)
    harm(log.files)
    const harmed = await log.size()
    expect(await log.grow(0)).toMatch(fault)
    expect(await log.grow(5)).toMatch(fault)
    expect(log.loud.some((line) => fault.test(line))).toBe(true)
    expect(await log.size()).toBe(harmed)
    // What an operator does: the copies are brought back, and it grows again.
    copyFileSync(`${folder.dir}/tree.copy`, log.files.tree)
    copyFileSync(`${folder.dir}/log.copy`, log.files.records)
    expect(await log.grow(2)).toBeUndefined()
    expect(await log.size()).toBe(before! + 2)
  })

  it('is a key that signed nothing of this log', async () => {
    using folder = temporaryDirectory()
    await using log = await openLog(folder.dir)
    expect(await log.grow(3)).toBeUndefined()
    expect(await log.grow(1, newLogKey())).toMatch(/not one of spean.* with this key/)
    expect(await log.size()).toBe(3)
    expect(await log.grow(1)).toBeUndefined()
  })

  it.each([301, 302, 304])('is a gap: record %i of those that wait is gone', async (position) => {
    using folder = temporaryDirectory()
    await using log = await openLog(folder.dir)
    expect(await log.grow(300)).toBeUndefined()
    {
      await using records = await openSqliteLogStore(log.files.records, { maxBytes: 1e9 })
      for (let i = 0; i < 5; i += 1) await records.append(newRecord('waiting'))
    }
    change(log.files.records, `DELETE FROM record WHERE position = ${position}`)
    expect(await log.grow(0)).toMatch(/from 301 to 304 are not all there/)
    expect(await log.size()).toBe(300)
  })

  it('is found while it runs, too: a tree that another process set back', async () => {
    using folder = temporaryDirectory()
    const loud: string[] = []
    const logger = {
      error: ({ err }: { err: unknown }) => void loud.push(String(err)),
      info: () => undefined,
    } as unknown as Logger
    await using records = await openSqliteLogStore(`${folder.dir}/log.db`, { maxBytes: 1e9 })
    await using tree = openSqliteTreeStore(`${folder.dir}/tree.db`)
    const options = { records, tree, key, clock: systemClock, logger, intervalMs: 3_600_000 }
    await using integrator = startIntegrator(options)
    for (let i = 0; i < 3; i += 1) {
      await records.append(newRecord(`${i}`))
      await integrator.integrateNow()
    }
    change(`${folder.dir}/tree.db`, 'DELETE FROM checkpoint WHERE size = 3')
    await integrator.integrateNow()
    await integrator.integrateNow()
    const { fault, oldestWaitingAt, size } = integrator.health()
    expect(fault).toMatch(/shrank from 3 to 2/)
    expect([size, oldestWaitingAt]).toEqual([3, undefined])
    expect(loud).toHaveLength(1)
    await records.append(newRecord('waits'))
    await integrator.integrateNow()
    expect(integrator.health().oldestWaitingAt).toBeInstanceOf(Date)
    expect((await tree.head())?.size).toBe(2)
  })
})
