/** Which checkpoint a log shows to the world, by a store on disk and a clock of the test. */
import { beforeEach, expect, it } from 'vitest'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import { createServedCheckpoint } from '../../gateway/transparency/served-checkpoint.ts'
import { temporaryFolder } from '../pki/support.ts'

const START = Date.parse('2026-03-01T08:00:00Z')
let now = START
let tree: TreeStore
let head = 0
let serve: () => Promise<number | undefined>
beforeEach(() => {
  now = START
  head = 0
  tree = openSqliteTreeStore(`${temporaryFolder()}/tree.db`)
  const served = createServedCheckpoint(tree, () => new Date(now))
  serve = async () => (await served())?.size
  return () => tree[Symbol.asyncDispose]()
})

async function grow(size: number): Promise<void> {
  const rootHash = Buffer.alloc(32, size)
  const checkpoint = { size, rootHash, note: 'a note', at: new Date(now), cosignatures: [] }
  expect(await tree.advance(head, [], checkpoint)).toBe(true)
  head = size
}
const witness = (size: number): Promise<void> =>
  tree.addCosignatures(size, ['a line'], new Date(now))

it('is none before the first, and then the newest, as long as none was ever witnessed', async () => {
  expect(await serve()).toBeUndefined()
  await grow(1)
  expect(await serve()).toBe(1)
  await grow(2)
  expect(await serve()).toBe(2)
})

it('is the newest with enough cosignatures, while the ones after it may get theirs', async () => {
  await grow(1)
  await witness(1)
  await grow(2)
  expect(await serve()).toBe(1)
  now += 250
  await grow(3)
  expect(await serve()).toBe(1)
  await witness(3)
  expect(await serve()).toBe(3)
})

it('is the newest of all when witnesses take longer, and never a smaller one again', async () => {
  await grow(1)
  await witness(1)
  await grow(2)
  now += 301
  await grow(3)
  expect(await serve()).toBe(3)
  await witness(2)
  expect(await serve()).toBe(3)
  await grow(4)
  await witness(4)
  expect(await serve()).toBe(4)
})

it('is the newest of all after the clock was set back, too', async () => {
  await grow(1)
  await witness(1)
  await grow(2)
  now -= 3_600_000
  expect(await serve()).toBe(2)
})
