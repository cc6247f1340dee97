import { describe, expect, it } from 'vitest'
import type { LogStamp, StampStore } from '../../exchange-log/stamp-store.ts'

export const stamp = (first: number, last: number): LogStamp => ({
  first,
  last,
  token: Buffer.from(`token of ${first}`),
  genTime: new Date('2026-03-01T08:00:00.120Z'),
  serial: first.toString(16),
  authority: 'ជាតិ',
  at: new Date('2026-03-01T08:00:01.250Z'),
})

/** What every StampStore must do. `open` opens the same data every time. */
export function describeStampStore(
  name: string,
  create: () => { readonly open: () => StampStore },
): void {
  const refused = expect.objectContaining({ name: 'StampStoreError' }) as unknown

  describe(`${name} as a StampStore`, () => {
    it('is empty at first', () => {
      using store = create().open()
      expect(store.last()).toBeUndefined()
      expect(store.covering(1)).toBeUndefined()
      expect(store.list({ limit: 9 })).toEqual([])
    })

    it('gives back what it was given, after it was closed and opened too', () => {
      const { open } = create()
      const given = [stamp(1, 3), stamp(4, 4), stamp(5, 12_000)]
      {
        using store = open()
        for (const one of given) store.add(one)
        expect(store.last()).toEqual(given[2])
      }
      using again = open()
      expect(again.list({ limit: 9 })).toEqual(given.toReversed())
      expect(again.last()).toEqual(given[2])
    })

    it('finds the one that covers a position, at both of its ends', () => {
      using store = create().open()
      for (const one of [stamp(1, 3), stamp(4, 4), stamp(5, 9)]) store.add(one)
      const firsts = [0, 1, 3, 4, 5, 9, 10].map((position) => store.covering(position)?.first)
      expect(firsts).toEqual([undefined, 1, 1, 4, 5, 5, undefined])
    })

    it('leaves no position out and covers none twice', () => {
      using store = create().open()
      expect(() => store.add(stamp(2, 3))).toThrow(refused)
      store.add(stamp(1, 3))
      for (const [first, last] of [
        [1, 3],
        [3, 5],
        [5, 6],
        [4, 3],
      ] as const) {
        expect(() => store.add(stamp(first, last))).toThrow(refused)
      }
      expect(store.list({ limit: 9 })).toEqual([stamp(1, 3)])
    })

    it('gives pages, newest first', () => {
      using store = create().open()
      for (let i = 1; i <= 5; i += 1) store.add(stamp(i, i))
      const firsts = (query: { before?: number; limit: number }): number[] =>
        store.list(query).map(({ first }) => first)
      expect(firsts({ limit: 2 })).toEqual([5, 4])
      expect(firsts({ limit: 2, before: 4 })).toEqual([3, 2])
      expect(firsts({ limit: 2, before: 2 })).toEqual([1])
    })
  })
}
