import { describe, expect, it } from 'vitest'
import type { LogStamp, StampStore } from '../../exchange-log/stamp-store.ts'

export const stamp = (size: number): LogStamp => ({
  size,
  token: Buffer.from(`token of ${size}`),
  genTime: new Date('2026-03-01T08:00:00.120Z'),
  serial: size.toString(16),
  authority: 'ជាតិ',
  at: new Date('2026-03-01T08:00:01.250Z'),
})

/** What every StampStore must do. `open` opens the same data every time. */
export function describeStampStore(
  name: string,
  create: () => Promise<{ readonly open: () => Promise<StampStore> }>,
): void {
  const opened = async (): Promise<StampStore> => (await create()).open()
  const addAll = async (store: StampStore, ...sizes: number[]): Promise<boolean[]> => {
    const added: boolean[] = []
    for (const size of sizes) added.push(await store.add(stamp(size)))
    return added
  }

  describe(`${name} as a StampStore`, () => {
    it('is empty at first', async () => {
      await using store = await opened()
      expect(await store.last()).toBeUndefined()
      expect(await store.covering(1)).toBeUndefined()
      expect(await store.list({ limit: 9 })).toEqual([])
    })

    it('gives back what it was given, after it was closed and opened too', async () => {
      const { open } = await create()
      const given = [stamp(3), stamp(4), stamp(12_000)]
      {
        await using store = await open()
        expect(await addAll(store, 3, 4, 12_000)).toEqual([true, true, true])
        expect(await store.last()).toEqual(given[2])
      }
      await using again = await open()
      expect(await again.list({ limit: 9 })).toEqual(given.toReversed())
      expect(await again.last()).toEqual(given[2])
    })

    it('finds the first one that covers a position', async () => {
      await using store = await opened()
      await addAll(store, 3, 4, 9)
      const sizes: (number | undefined)[] = []
      for (const position of [1, 3, 4, 5, 9, 10]) {
        sizes.push((await store.covering(position))?.size)
      }
      expect(sizes).toEqual([3, 3, 4, 9, 9, undefined])
    })

    it('takes nothing that covers no more than it has, and changes nothing', async () => {
      await using store = await opened()
      await addAll(store, 3)
      const other = { ...stamp(3), token: Buffer.from('another'), authority: 'another' }
      expect(await store.add(other)).toBe(false)
      expect(await addAll(store, 2)).toEqual([false])
      expect(await store.list({ limit: 9 })).toEqual([stamp(3)])
    })

    it('lets one of two processes win that stamp the same size', async () => {
      const { open } = await create()
      await using one = await open()
      await using two = await open()
      const added = await Promise.all([one.add(stamp(5)), two.add(stamp(5))])
      expect(added.toSorted()).toEqual([false, true])
      await Promise.all([one.add(stamp(8)), two.add(stamp(6))])
      expect((await one.last())?.size).toBe(8)
      expect(await two.list({ limit: 9 })).toEqual(await one.list({ limit: 9 }))
    })

    it('gives pages, newest first', async () => {
      await using store = await opened()
      await addAll(store, 1, 2, 3, 4, 5)
      const sizes = async (query: { before?: number; limit: number }): Promise<number[]> =>
        (await store.list(query)).map(({ size }) => size)
      expect(await sizes({ limit: 2 })).toEqual([5, 4])
      expect(await sizes({ limit: 2, before: 4 })).toEqual([3, 2])
      expect(await sizes({ limit: 2, before: 2 })).toEqual([1])
    })
  })
}
