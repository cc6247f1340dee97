import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { minute, requestEntry, responseEntry, sealed } from './exchange-log-entries.ts'
import { wholeLog } from './exchange-log-processes.contract.ts'
import type { LogLocation } from './exchange-log-store.contract.ts'

const PROVIDER = { side: 'provider' } as const
const TWICE = { name: 'AlreadyRecordedError' }

/** What a log owes to those that want a record once, and to those that take back what they staged. */
export function describeLogOnce(name: string, newLog: () => Promise<LogLocation>): void {
  const once = (store: ExchangeLogStore, id: string, since = minute(0)): Promise<number> =>
    store.append({ ...sealed(requestEntry(id, PROVIDER)), onceSince: since })

  describe(`${name} as an ExchangeLogStore: records that are to be there once`, () => {
    it('takes the first one only, whichever process it comes to', async () => {
      const log = await newLog()
      await using store = await log.open()
      await using other = await log.open()
      expect(await once(store, 'x')).toBe(1)
      for (const reader of [store, other])
        await expect(once(reader, 'x')).rejects.toMatchObject(TWICE)
      expect(await once(other, 'y')).toBe(2)
      expect(await wholeLog(store)).toHaveLength(2)
    })

    it('lets one of those win that come at once, and refuses none of those that share their commit', async () => {
      const log = await newLog()
      await using store = await log.open()
      await using other = await log.open()
      const ids = Array.from({ length: 40 }, (_, i) => `x-${i}`)
      const attempts = ids.flatMap((id) =>
        [store, other, store].map(async (own) => ({ id, position: await once(own, id) })),
      )
      const settled = await Promise.allSettled(attempts)
      const taken = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      for (const one of settled) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject(TWICE)
      }
      const records = await wholeLog(store)
      expect(records).toHaveLength(ids.length)
      expect(taken).toHaveLength(ids.length)
      for (const { id, position } of taken) expect(records[position - 1]?.exchangeId).toBe(id)
    })

    it('is about the same side and kind, and about what was recorded since', async () => {
      await using store = await (await newLog()).open()
      await store.append(sealed(requestEntry('x')))
      await once(store, 'x')
      await store.append(sealed(responseEntry('x', 2, PROVIDER)))
      await expect(once(store, 'x', minute(-5))).rejects.toMatchObject(TWICE)
      expect(await once(store, 'x', minute(1))).toBe(4)
      // Whoever does not ask for it may record what is there.
      expect(await store.append(sealed(requestEntry('x', PROVIDER)))).toBe(5)
    })
  })

  describe(`${name} as an ExchangeLogStore: what was staged`, () => {
    it('is gone when it was taken back, may be staged anew, and is not taken from a record', async () => {
      const log = await newLog()
      await using store = await log.open()
      const before = (await store.extent()).bytes
      const part = (): Buffer => randomBytes(400_000)
      const content = (staged: number) => ({ wrappedKey: randomBytes(60), staged })
      for (const number of [0, 1]) await store.stage(7, number, part())
      await store.stage(8, 0, part())
      await store.unstage(7)
      await store.unstage(7)
      await store.unstage(99)
      const [seven, eight] = [part(), 8]
      await store.stage(7, 0, Buffer.from(seven)) // the bytes are the store's from then on
      await store.append({ ...sealed(requestEntry('x')), content: content(7) })
      await store.append({ ...sealed(requestEntry('y')), content: content(eight) })
      await store.unstage(7)
      await using other = await log.open()
      expect(await other.contentPart(1, 0)).toEqual(seven)
      expect(await other.contentPart(1, 1)).toBeUndefined()
      expect(await other.contentPart(2, 0)).toHaveLength(400_000)
      expect((await store.extent()).bytes).toBeGreaterThan(before)
    })
  })
}
