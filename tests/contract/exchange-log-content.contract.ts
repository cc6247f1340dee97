import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { commitmentOf, recordText } from '../../exchange-log/record.ts'
import type { ExchangeLogStore, SealedContent } from '../../exchange-log/store.ts'
import {
  append,
  found,
  minute,
  requestEntry,
  responseEntry,
  sealed,
  sealRecord,
  toPlain,
} from './exchange-log-entries.ts'
import type { LogLocation } from './exchange-log-store.contract.ts'

const part = (bytes = 100): Buffer => randomBytes(bytes)

function contentOf(...parts: Buffer[]): SealedContent & { parts: readonly Buffer[] } {
  return { wrappedKey: part(60), parts }
}

async function partsOf(store: ExchangeLogStore, position: number): Promise<Buffer[]> {
  const parts: Buffer[] = []
  for (;;) {
    const next = await store.contentPart(position, parts.length)
    if (next === undefined) return parts
    parts.push(next)
  }
}

/** What a log owes to the content of its records, to its tree, and to those who cut it. */
export function describeLogContent(name: string, newLog: () => Promise<LogLocation>): void {
  const open = async (): Promise<ExchangeLogStore> => (await newLog()).open()

  describe(`${name} as an ExchangeLogStore: commitments`, () => {
    it('gives the commitments after a position, as neighbours', async () => {
      await using store = await open()
      const records = ['a', 'b', 'c', 'd', 'e'].map((id) => sealed(requestEntry(id)))
      for (const record of records) await store.append(record)
      const expected = records.map(({ commitment }) => commitment)
      expect(await store.commitments(0, 9)).toEqual(expected)
      expect(await store.commitments(1, 2)).toEqual(expected.slice(1, 3))
      expect(await store.commitments(5, 9)).toEqual([])
    })
  })

  describe(`${name} as an ExchangeLogStore: content`, () => {
    it('gives back each part of the content of each record, and no other', async () => {
      const log = await newLog()
      const contents = [contentOf(part(), part(1)), contentOf(part(300_000)), contentOf()]
      {
        await using store = await log.open()
        await append(store, requestEntry('bare'))
        // What is appended is the store's; ours is a copy.
        const appends = contents.map(({ wrappedKey, parts }, i) => {
          const content = { wrappedKey, parts: parts.map((bytes) => Buffer.from(bytes)) }
          return store.append({ ...sealed(requestEntry(`x-${i}`)), content })
        })
        expect(await Promise.all(appends)).toEqual([2, 3, 4])
      }
      await using store = await log.open()
      for (const [i, { parts, wrappedKey }] of contents.entries()) {
        expect(await partsOf(store, i + 2)).toEqual(parts)
        expect(await store.wrappedKey(i + 2)).toEqual(wrappedKey)
      }
      for (const without of [0, 1, 5]) {
        expect(await store.wrappedKey(without)).toBeUndefined()
        expect(await partsOf(store, without)).toEqual([])
      }
      expect(await store.contentPart(2, 2)).toBeUndefined()
      expect(await store.contentPart(2, -1)).toBeUndefined()
    })

    it('keeps content that was staged before its record', async () => {
      await using store = await open()
      const parts = [part(), part(), part()]
      const staged = 9_007_199_254_740_991
      await Promise.all(parts.map((bytes, i) => store.stage(staged, i, bytes)))
      await store.stage(7, 0, part())
      const content = { wrappedKey: part(60), staged }
      const position = await store.append({ ...sealed(requestEntry('x')), content })
      expect(await partsOf(store, position)).toEqual(parts)
      expect(await store.wrappedKey(position)).toEqual(content.wrappedKey)
      expect((await store.entries('x'))[0]).not.toHaveProperty('staged')
    })

    it.each([false, true])(
      'erases content and key, staged: %s, and nothing else',
      async (large) => {
        const log = await newLog()
        await using store = await log.open()
        const other = contentOf(part())
        const first = sealed(requestEntry('x'))
        const key = { wrappedKey: part(60) }
        if (large) await store.stage(5, 0, part())
        const content = large ? { ...key, staged: 5 } : { ...key, parts: [part()] }
        await store.append({ ...first, content })
        await store.append({ ...sealed(requestEntry('y')), content: other })
        const before = await store.entries('x')
        await store.erase([1])
        await store.erase([1])
        await store.erase([77])
        await using again = await log.open()
        for (const reader of [store, again]) {
          expect(await partsOf(reader, 1)).toEqual([])
          expect(await reader.wrappedKey(1)).toBeUndefined()
          expect(await reader.entries('x')).toStrictEqual(before)
          expect(await reader.commitments(0, 1)).toEqual([first.commitment])
          expect(await partsOf(reader, 2)).toEqual(other.parts)
          expect(await reader.wrappedKey(2)).toEqual(other.wrappedKey)
        }
      },
    )
  })

  describe(`${name} as an ExchangeLogStore: contents and events`, () => {
    const filled = async (store: ExchangeLogStore): Promise<void> => {
      const parties = { client: 'KH/A/B/C', service: 'KH/D/E/F/g', userId: 'ក', issue: 'I/1' }
      const begun = requestEntry('x-1', { ...parties, at: minute(1) })
      await store.append({ ...sealed(begun), content: contentOf(part()) })
      const answer = responseEntry('x-1', 1, { at: minute(9) })
      await store.append({ ...sealed(answer), content: contentOf(part()) })
      await append(store, requestEntry('without content'))
      const other = requestEntry('x-2', { at: minute(2) })
      await store.append({ ...sealed(other), content: contentOf(part()) })
      const events = ['hold', 'erasure', 'release', 'hold'] as const
      for (const [i, kind] of events.entries()) {
        const detail = `${kind} ${i}`
        await append(store, { exchangeId: 'x-1', kind, at: minute(i), actor: 'a', detail })
      }
    }
    /** What does not change when the records are archived. */
    const verifyContents = async (store: ExchangeLogStore): Promise<void> => {
      const ofRun = { exchangeId: 'x-1', at: minute(1), userId: 'ក', issue: 'I/1' }
      const first = { position: 1, client: 'KH/A/B/C', service: 'KH/D/E/F/g', ...ofRun }
      const second = { position: 2, ...ofRun }
      const third = { position: 4, exchangeId: 'x-2', at: minute(2) }
      const names = { client: 'KH/COM/BANK/KYC', service: 'KH/GOV/REG/POP/echo' }
      const all = [first, second, { ...third, ...names }]
      expect(await store.contents({ limit: 9 })).toEqual(all)
      expect(await store.contents({ limit: 2, newestFirst: true })).toEqual([all[2], all[1]])
      expect(await store.contents({ limit: 1, after: 1 })).toEqual([second])
      expect(await store.contents({ limit: 9, exchangeId: 'x-1' })).toEqual([first, second])
      expect(await store.contents({ limit: 9, exchangeId: 'x-1', after: 1 })).toEqual([second])
      expect(await store.contents({ limit: 9, positions: [4, 3, 1, 77] })).toEqual([all[0], all[2]])
      expect(await store.contents({ limit: 9, positions: [] })).toEqual([])
      expect(await store.contents({ limit: 9, exchangeId: '\0' })).toEqual([])
    }

    it('names the records with content, with what the beginning of their run says', async () => {
      await using store = await open()
      await filled(store)
      await verifyContents(store)
    })

    it('knows contents and holds still when their records were archived', async () => {
      const log = await newLog()
      {
        await using store = await log.open()
        await filled(store)
        await store.removeUpTo(1)
        await verifyContents(store)
        await store.removeUpTo(7)
      }
      await using store = await log.open()
      await verifyContents(store)
      const kinds = ['hold', 'release', 'erasure'] as const
      const positions = (await store.events(kinds, 0, 9)).map(({ position }) => position)
      expect(positions).toEqual([5, 7, 8])
      await store.erase([1, 2])
      expect(await store.contents({ limit: 9 })).toMatchObject([{ position: 4 }])
      expect(await store.wrappedKey(1)).toBeUndefined()
    })

    it('knows archives still when their events were archived themselves', async () => {
      await using store = await open()
      const at = minute(1)
      const event = { kind: 'archive', exchangeId: 'a-1', at, recordedAt: at, actor: 'x' } as const
      await append(store, { ...event, detail: 'first' })
      await append(store, requestEntry('x-1'))
      await store.removeUpTo(2)
      await append(store, { ...event, detail: 'second' })
      const found = await store.events(['archive'], 0, 9)
      expect(found.map(({ position, detail }) => [position, detail])).toEqual([
        [1, 'first'],
        [3, 'second'],
      ])
    })

    it('gives events by kind, oldest first, in pages, as they were committed to', async () => {
      await using store = await open()
      await filled(store)
      const positions = async (...given: Parameters<typeof store.events>): Promise<number[]> =>
        (await store.events(...given)).map(({ position }) => position)
      expect(await positions(['hold', 'release'], 0, 9)).toEqual([5, 7, 8])
      expect(await positions(['hold'], 0, 1)).toEqual([5])
      expect(await positions(['hold'], 5, 9)).toEqual([8])
      expect(await positions(['query'], 0, 9)).toEqual([])
      expect(await positions([], 0, 9)).toEqual([])
      expect(await store.events(['erasure'], 0, 9)).toEqual(await store.after(5, 1))
      await store.removeUpTo(8)
      const [archived] = await store.events(['release'], 0, 9)
      const { salt, commitment } = archived!
      expect(commitmentOf(salt, recordText(toPlain(archived!)))).toEqual(commitment)
    })

    it('erases many at once, and names what is left', async () => {
      await using store = await open()
      const appends = Array.from({ length: 200 }, (_, i) =>
        store.append({ ...sealed(requestEntry(`x-${i}`)), content: contentOf(part()) }),
      )
      const positions = await Promise.all(appends)
      await store.erase(positions.slice(0, 199))
      expect(await store.contents({ limit: 9 })).toMatchObject([{ position: 200 }])
      expect(await partsOf(store, 199)).toEqual([])
      expect(await partsOf(store, 200)).toHaveLength(1)
      await store.erase([])
    })
  })

  describe(`${name} as an ExchangeLogStore: extent and removal`, () => {
    it('says how much there is', async () => {
      await using store = await open()
      expect(await store.extent()).toMatchObject({ first: 1, last: 0 })
      for (let i = 0; i < 3; i += 1) await append(store, requestEntry('x'))
      const before = await store.extent()
      expect(before).toMatchObject({ first: 1, last: 3 })
      const content = contentOf(part(1_000_000))
      await store.append({ ...sealed(requestEntry('x')), content })
      expect((await store.extent()).bytes).toBeGreaterThan(before.bytes + 900_000)
    })

    it('removes records up to a position and their content, keeps their keys, and goes on counting', async () => {
      const log = await newLog()
      const keys: Buffer[] = []
      const contents: Buffer[] = []
      {
        await using store = await log.open()
        // Over several months, not in the order of their positions: two replicas' clocks differ.
        const months = [0, 0, 1, 0, 1, 2]
        for (const [i, month] of months.entries()) {
          const at = new Date(Date.UTC(2026, month, 28))
          const key = { wrappedKey: part(60) }
          const bytes = part()
          keys.push(key.wrappedKey)
          contents.push(bytes)
          if (i % 2 === 0) await store.stage(i + 1, 0, bytes)
          const content = i % 2 === 0 ? { ...key, staged: i + 1 } : { ...key, parts: [bytes] }
          const record = { ...requestEntry(`x-${i + 1}`, { at }), recordedAt: at }
          expect(await store.append({ ...sealRecord(record), content })).toBe(i + 1)
        }
        await store.stage(98, 0, part()) // for a record that is about to come
        await store.removeUpTo(3)
        expect(await store.extent()).toMatchObject({ first: 4, last: 6 })
        expect((await store.after(0, 9)).map(({ position }) => position)).toEqual([4, 5, 6])
        expect(await found(store)).toEqual(['x-6', 'x-5', 'x-4'])
        for (const position of [1, 2, 3]) expect(await partsOf(store, position)).toEqual([])
        for (const position of [4, 5, 6]) {
          expect(await partsOf(store, position)).toEqual([contents[position - 1]])
        }
        await store.removeUpTo(2)
        await store.removeUpTo(6)
        const late = sealRecord({ ...requestEntry('x-7'), recordedAt: minute(0) })
        const staged = { wrappedKey: part(60), staged: 98 }
        expect(await store.append({ ...late, content: staged })).toBe(7)
        expect(await partsOf(store, 7)).toHaveLength(1)
        await store.removeUpTo(7)
        expect(await store.extent()).toMatchObject({ first: 8, last: 7 })
      }
      await using store = await log.open()
      for (const [i, key] of keys.entries()) expect(await store.wrappedKey(i + 1)).toEqual(key)
      expect(await append(store, requestEntry('x-8'))).toBe(8)
      expect(await store.extent()).toMatchObject({ first: 8, last: 8 })
    })
  })
}
