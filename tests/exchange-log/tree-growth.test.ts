/** What must hold before a tree grows, in trees that somebody with the log's own key made. */
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { checkHead, growTree, type GrowthDeps } from '../../exchange-log/tree-growth.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { growingRecords, newLogKey, temporaryDirectory } from './tree-support.ts'
import { systemClock } from '../../runtime/clock.ts'

const key = newLogKey()

/** A tree of its own of so many records, on disk. */
async function treeOf(count: number, past: number) {
  const folder = temporaryDirectory()
  const file = `${folder.dir}/tree.db`
  const tree = openSqliteTreeStore(file)
  const records = growingRecords()
  records.add(past + count)
  const { source } = records
  const shifted: GrowthDeps['records'] = {
    ...source,
    commitments: (position, limit) => source.commitments(position + past, limit),
    after: async (position, limit) =>
      (await source.after(position + past, limit)).map((record) => ({
        ...record,
        position: record.position - past,
      })),
  }
  const deps: GrowthDeps = { records: shifted, tree, key, clock: systemClock }
  const known = (await growTree(deps, await checkHead(deps, undefined, undefined), count))!
  const dispose = async (): Promise<void> => {
    await tree[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  }
  return { deps, known, file, [Symbol.asyncDispose]: dispose }
}

it('a larger tree of another past is no continuation, whoever signed it', async () => {
  await using before = await treeOf(3, 0)
  await using after = await treeOf(5, 1)
  await expect(checkHead(after.deps, undefined, before.known.head)).rejects.toThrow(
    /does not continue/,
  )
  await using longer = await treeOf(5, 0)
  const { range } = await checkHead(longer.deps, undefined, before.known.head)
  expect(range.size).toBe(5)
})

it('a tree without checkpoints is none that had one', async () => {
  await using before = await treeOf(3, 0)
  await using folder = await treeOf(1, 0)
  const db = new DatabaseSync(folder.file)
  db.exec('DELETE FROM checkpoint')
  db.close()
  await expect(checkHead(folder.deps, undefined, before.known.head)).rejects.toThrow(
    /lost its checkpoints/,
  )
})

it('a tile that was altered since the last checkpoint is not built upon', async () => {
  await using log = await treeOf(3, 0)
  const { known, deps, file } = log
  const tile = (await deps.tree.tile(0, 0))!
  tile[0]! ^= 1
  const db = new DatabaseSync(file)
  db.prepare('UPDATE tile SET hashes = ?').run(tile)
  db.close()
  const grown = growingRecords()
  grown.add(4)
  await expect(growTree({ ...deps, records: grown.source }, known, 10)).rejects.toThrow(
    /tiles changed/,
  )
  expect((await deps.tree.head())?.size).toBe(3)
})
