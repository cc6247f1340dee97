import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { StoredCheckpoint, TileWrite, TreeStore } from '../../exchange-log/tree-store.ts'
import { minute } from './exchange-log-entries.ts'

const checkpoint = (size: number, more: Partial<StoredCheckpoint> = {}): StoredCheckpoint => ({
  size,
  rootHash: randomBytes(32),
  note: `spean/ក/log\n${size}\n\n— spean/ក/log AAAA\n`,
  at: minute(size),
  cosignatures: [],
  ...more,
})
const tile = (level: number, index: number, width: number): TileWrite => ({
  level,
  index,
  hashes: randomBytes(32 * width),
})

/** An empty tree, which may be opened more than once. */
export type OpenTree = () => Promise<TreeStore>

/** What every TreeStore owes its callers. */
export function describeTreeStore(name: string, newTree: () => Promise<OpenTree>): void {
  const filled = async (
    store: TreeStore,
    sizes: readonly number[],
  ): Promise<StoredCheckpoint[]> => {
    const checkpoints = sizes.map((size) => checkpoint(size))
    for (const [i, one] of checkpoints.entries()) {
      expect(await store.advance(sizes[i - 1] ?? 0, [], one)).toBe(true)
    }
    return checkpoints
  }

  describe(`${name} as a TreeStore`, () => {
    it('is empty at first', async () => {
      await using store = await (await newTree())()
      expect(await store.head()).toBeUndefined()
      expect(await store.witnessedHead()).toBeUndefined()
      expect(await store.tile(0, 0)).toBeUndefined()
      expect(await store.checkpoint(1)).toBeUndefined()
      expect(await store.covering(0)).toBeUndefined()
      expect(await store.checkpoints(0, 9)).toEqual([])
    })

    it('gives back what it was given, after it was closed and opened too', async () => {
      const open = await newTree()
      const written = [tile(0, 0, 256), tile(0, 1, 3), tile(1, 0, 1)]
      const witnessedAt = new Date('2026-03-01T08:00:00.120Z')
      const first = checkpoint(259, { witnessedAt })
      {
        await using store = await open()
        expect(await store.advance(0, written, first)).toBe(true)
      }
      await using store = await open()
      expect(await store.head()).toStrictEqual(first)
      expect(await store.checkpoint(259)).toStrictEqual(first)
      for (const { level, index, hashes } of written) {
        expect(await store.tile(level, index)).toEqual(hashes)
      }
      expect(await store.tile(1, 1)).toBeUndefined()
      expect(await store.tile(2, 0)).toBeUndefined()
    })

    it('replaces a tile by a wider one', async () => {
      await using store = await (await newTree())()
      const wider = tile(0, 0, 5)
      await store.advance(0, [tile(0, 0, 3)], checkpoint(3))
      await store.advance(3, [wider], checkpoint(5))
      expect(await store.tile(0, 0)).toEqual(wider.hashes)
    })

    it('changes nothing when the head is another one by now', async () => {
      const open = await newTree()
      await using store = await open()
      await using other = await open()
      const written = tile(0, 0, 3)
      await store.advance(0, [written], checkpoint(3))
      for (const from of [0, 2, 4]) {
        expect(await other.advance(from, [tile(0, 0, 9), tile(0, 7, 1)], checkpoint(9))).toBe(false)
      }
      expect(await other.tile(0, 0)).toEqual(written.hashes)
      expect(await other.tile(0, 7)).toBeUndefined()
      expect((await other.head())?.size).toBe(3)
      expect(await other.checkpoints(0, 9)).toHaveLength(1)
    })

    it('lets one of those win that advance from the same size at once', async () => {
      const open = await newTree()
      await using store = await open()
      await using other = await open()
      for (let from = 0; from < 60; from += 3) {
        const racers = [store, other, store, other].map(async (racer, i) => {
          const written = tile(0, 0, from + (i % 3) + 1)
          const next = checkpoint(from + 3)
          return { written, next, won: await racer.advance(from, [written], next) }
        })
        const winners = (await Promise.all(racers)).filter(({ won }) => won)
        expect(winners).toHaveLength(1)
        expect(await store.head()).toStrictEqual(winners[0]!.next)
        expect(await other.tile(0, 0)).toEqual(winners[0]!.written.hashes)
      }
    })

    it('finds the smallest checkpoint that covers a size, and pages of those that follow', async () => {
      await using store = await (await newTree())()
      await filled(store, [3, 10, 11])
      const covering = async (size: number): Promise<number | undefined> =>
        (await store.covering(size))?.size
      expect(await Promise.all([0, 3, 4, 10, 11, 12].map(covering))).toEqual([
        3,
        3,
        10,
        10,
        11,
        undefined,
      ])
      const sizes = async (size: number, limit: number): Promise<number[]> =>
        (await store.checkpoints(size, limit)).map((one) => one.size)
      expect(await sizes(0, 2)).toEqual([3, 10])
      expect(await sizes(10, 9)).toEqual([11])
      expect(await store.checkpoint(4)).toBeUndefined()
    })

    it('keeps cosignatures in the order in which they came, each once', async () => {
      const open = await newTree()
      await using store = await open()
      await filled(store, [3, 5])
      await store.addCosignatures(3, ['— w2 B', '— w1 A'])
      await store.addCosignatures(3, ['— w1 A', '— w3 C'])
      await store.addCosignatures(4, ['— w1 gone'])
      await store.addCosignatures(5, [])
      await using other = await open()
      expect((await other.checkpoint(3))?.cosignatures).toEqual(['— w2 B', '— w1 A', '— w3 C'])
      expect(await other.checkpoint(3)).not.toHaveProperty('witnessedAt')
      expect((await other.head())?.cosignatures).toEqual([])
      expect(await other.checkpoint(4)).toBeUndefined()
    })

    it('knows which checkpoints were witnessed, and since when', async () => {
      await using store = await (await newTree())()
      await filled(store, [3, 5, 8])
      expect(await store.witnessedHead()).toBeUndefined()
      await store.addCosignatures(5, ['— w1 A'], minute(30))
      await store.addCosignatures(5, ['— w2 B'], minute(40))
      await store.addCosignatures(4, ['— w1 gone'], minute(30))
      const witnessed = await store.witnessedHead()
      expect(witnessed).toMatchObject({ size: 5, witnessedAt: minute(30) })
      expect(await store.covering(1, { witnessed: true })).toEqual(witnessed)
      expect(await store.covering(6, { witnessed: true })).toBeUndefined()
      expect((await store.covering(1, { witnessed: false }))?.size).toBe(3)
    })

    it('removes old checkpoints, but for the head, the newest witnessed one and those to keep', async () => {
      await using store = await (await newTree())()
      await filled(store, [1, 2, 3, 4, 5, 6])
      await store.addCosignatures(2, ['— w1 A'], minute(30))
      await store.addCosignatures(3, ['— w1 A'], minute(30))
      await store.thin(minute(5), new Set([1]))
      const sizes = async (): Promise<number[]> =>
        (await store.checkpoints(0, 9)).map((one) => one.size)
      expect(await sizes()).toEqual([1, 3, 5, 6])
      await store.thin(minute(100), new Set())
      expect(await sizes()).toEqual([3, 6])
      expect((await store.checkpoint(3))?.cosignatures).toEqual(['— w1 A'])
      expect(await store.advance(6, [], checkpoint(7))).toBe(true)
    })
  })
}
