import { describe, expect, it } from 'vitest'
import { commitmentOf, recordText, type LogRecord } from '../../exchange-log/record.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import {
  append,
  appendRun,
  found,
  minute,
  refusalEntry,
  requestEntry,
  responseEntry,
  sealRecord,
  toPlain,
} from './exchange-log-entries.ts'

/** A log that was empty at first, and may be opened more than once; it goes when the test has ended. */
export interface LogLocation {
  readonly open: () => Promise<ExchangeLogStore>
  /** What `open-log-at.ts` opens it by in another process. */
  readonly where: string
}

/** What every ExchangeLogStore owes its callers. Run once for each implementation. */
export function describeExchangeLogStore(name: string, newLog: () => Promise<LogLocation>): void {
  const open = async (): Promise<ExchangeLogStore> => (await newLog()).open()

  describe(`${name} as an ExchangeLogStore: append`, () => {
    it('gives positions from 1 on, in the order of the calls', async () => {
      await using store = await open()
      const ids = Array.from({ length: 40 }, (_, i) => `x-${i}`)
      const positions = await Promise.all(ids.map((id) => append(store, requestEntry(id))))
      expect(positions).toEqual(ids.map((_, i) => i + 1))
      expect(await found(store)).toEqual(ids.toReversed())
    })

    it('keeps every field as it was given, and leaves absent ones absent', async () => {
      await using store = await open()
      const full: Required<LogRecord> = {
        exchangeId: 'x-full',
        side: 'provider',
        kind: 'refusal',
        begunAt: 1,
        at: new Date('2026-05-05T05:05:05.555Z'),
        recordedAt: new Date('2026-06-01T00:00:00.001Z'),
        client: 'KH/GOV/ក្រសួងមហាផ្ទៃ/អត្តសញ្ញាណ',
        service: 'KH/GOV/ក្រសួងមហាផ្ទៃ/អត្តសញ្ញាណ/ស្វែងរក',
        method: 'POST',
        target: `/r1/KH/GOV/x/y/z?q='"%_\\`,
        messageId: 'លេខ ១ 𠀀\u0000\n\\0\\',
        userId: 'KH:{"1",NULL}',
        issue: '',
        representedParty: 'COM/អ្នកតំណាង',
        purpose: 'ស៊ើបអង្កេត',
        peer: 'KH/GOV/ក្រសួងមហាផ្ទៃ/MOI-1',
        manifest: 'e30.e30.AA',
        kept: 'digest',
        bodyBytes: 9_007_199_254_740_991,
        status: 403,
        code: 'access.denied',
        origin: 'provider-gateway',
        detail: 'គ្មានសិទ្ធិ',
        actor: 'សវនករ',
      }
      const bare: LogRecord = {
        exchangeId: 'x-bare',
        kind: 'query',
        at: minute(1),
        recordedAt: minute(2),
      }
      const [first, second] = [sealRecord(full), sealRecord(bare)]
      await append(store, requestEntry('x-full'))
      await store.append(first)
      await store.append(second)
      const { salt, commitment } = first
      const kept = (await store.entries('x-full'))[1]!
      expect(kept).toStrictEqual({ ...full, position: 2, salt, commitment })
      expect(commitmentOf(kept.salt, recordText(toPlain(kept)))).toEqual(commitment)
      const others = { salt: second.salt, commitment: second.commitment }
      expect(await store.entries('x-bare')).toStrictEqual([{ ...bare, position: 3, ...others }])
    })

    it('takes 500 entries at once, each at a position of its own, and has them when opened again', async () => {
      const log = await newLog()
      const ids = Array.from({ length: 500 }, (_, i) => `x-${i}`)
      const positions: number[] = []
      {
        await using store = await log.open()
        positions.push(...(await Promise.all(ids.map((id) => append(store, requestEntry(id))))))
      }
      expect(new Set(positions).size).toBe(500)
      await using again = await log.open()
      const kept = await again.list({ limit: 1000 })
      expect(kept.map(({ exchangeId, position }) => [exchangeId, position]).toReversed()).toEqual(
        ids.map((id, i) => [id, positions[i]]),
      )
      expect(await append(again, requestEntry('x-next'))).toBe(Math.max(...positions) + 1)
    })

    it('has resolved only when every other connection sees the entry', async () => {
      const log = await newLog()
      await using store = await log.open()
      await using other = await log.open()
      for (let i = 1; i <= 20; i += 1) {
        await append(store, requestEntry(`x-${i}`))
        expect(await other.entries(`x-${i}`)).toHaveLength(1)
        expect((await store.list({ limit: 1 }))[0]?.exchangeId).toBe(`x-${i}`)
      }
    })

    it('rejects after the store was closed, and so does every question', async () => {
      const store = await open()
      await store[Symbol.asyncDispose]()
      const closed = { name: 'LogStoreError' }
      await expect(append(store, requestEntry('x'))).rejects.toMatchObject(closed)
      await expect(store.list({ limit: 1 })).rejects.toMatchObject(closed)
      await expect(store.entries('x')).rejects.toMatchObject(closed)
      await expect(store.servedSince(minute(0))).rejects.toMatchObject(closed)
    })

    it('finishes what was asked before closing', async () => {
      const log = await newLog()
      const store = await log.open()
      const appends = Array.from({ length: 300 }, (_, i) => append(store, requestEntry(`x-${i}`)))
      await store[Symbol.asyncDispose]()
      expect(await Promise.all(appends)).toHaveLength(300)
      await using again = await log.open()
      expect(await found(again)).toHaveLength(300)
    })
  })

  describe(`${name} as an ExchangeLogStore: list`, () => {
    it('shows an exchange with both of its ends, and nothing that it has not', async () => {
      await using store = await open()
      const said = { method: 'GET', target: '/r1/x', messageId: 'm-1' } as const
      await append(store, requestEntry('x-1', { ...said, manifest: 'a.b.c' }))
      const answer = { at: minute(2), peer: 'KH/GOV/REG/REG-1', manifest: 'd.e.f' }
      await append(store, responseEntry('x-1', 1, answer))
      await append(store, requestEntry('x-2'))
      expect(await store.list({ limit: 10 })).toStrictEqual([
        {
          position: 3,
          exchangeId: 'x-2',
          side: 'client',
          at: minute(0),
          client: 'KH/COM/BANK/KYC',
          service: 'KH/GOV/REG/POP/echo',
          outcome: 'unanswered',
        },
        {
          position: 1,
          exchangeId: 'x-1',
          side: 'client',
          at: minute(0),
          endedAt: minute(2),
          client: 'KH/COM/BANK/KYC',
          service: 'KH/GOV/REG/POP/echo',
          ...said,
          peer: 'KH/GOV/REG/REG-1',
          status: 200,
          outcome: 'ok',
        },
      ])
    })

    it('tells answers, error answers, refusals and what was never answered apart', async () => {
      await using store = await open()
      await appendRun(store, 'ok', 'ok')
      await appendRun(store, 'error', 'error')
      await appendRun(store, 'refused', 'service.timeout')
      await appendRun(store, 'unanswered', 'unanswered')
      await append(store, refusalEntry('at once', 'request.malformed'))
      expect(await found(store, { outcome: 'ok' })).toEqual(['ok'])
      expect(await found(store, { outcome: 'error' })).toEqual(['error'])
      expect(await found(store, { outcome: 'refused' })).toEqual(['at once', 'refused'])
      expect(await found(store, { outcome: 'unanswered' })).toEqual(['unanswered'])
      expect(await found(store, { code: 'service.timeout' })).toEqual(['refused'])
      expect(await found(store, { code: 'request.malformed' })).toEqual(['at once'])
      expect(await found(store, { code: 'request.%' })).toEqual([])
      const [refused] = await store.list({ code: 'request.malformed', limit: 1 })
      expect(refused).toMatchObject({ endedAt: minute(0), origin: 'client-gateway', status: 403 })
    })

    it.each([
      [399, 'ok'],
      [400, 'error'],
    ])('an answer with status %i is %s', async (status, outcome) => {
      await using store = await open()
      await append(store, requestEntry('x'))
      await append(store, responseEntry('x', 1, { status }))
      expect(await store.list({ limit: 1 })).toMatchObject([{ status, outcome }])
    })

    it('an answer that was recorded and then refused is refused', async () => {
      await using store = await open()
      await appendRun(store, 'x', 'ok')
      await append(store, refusalEntry('x', 'log.unavailable', { begunAt: 1 }))
      expect(await store.list({ limit: 9 })).toMatchObject([{ outcome: 'refused', position: 1 }])
    })

    it('judges a run by its own entries: the refusal of a replay changes nothing else', async () => {
      await using store = await open()
      await appendRun(store, 'x', 'ok', { side: 'provider' })
      await append(store, refusalEntry('x', 'manifest.replayed', { side: 'provider' }))
      expect(await store.list({ id: 'x', limit: 9 })).toMatchObject([
        { position: 3, outcome: 'refused', code: 'manifest.replayed' },
        { position: 1, outcome: 'ok', status: 200 },
      ])
      expect((await store.list({ outcome: 'ok', limit: 9 }))[0]).not.toHaveProperty('code')
    })

    it('keeps the two sides of one exchange apart', async () => {
      await using store = await open()
      const client = await append(store, requestEntry('x', { side: 'client' }))
      const provider = await append(store, requestEntry('x', { side: 'provider' }))
      await append(store, responseEntry('x', provider, { side: 'provider', at: minute(1) }))
      const code = 'response.mismatch'
      await append(store, refusalEntry('x', code, { begunAt: client, at: minute(2) }))
      expect(await store.list({ limit: 9 })).toMatchObject([
        { side: 'provider', outcome: 'ok', endedAt: minute(1) },
        { side: 'client', outcome: 'refused', code, endedAt: minute(2) },
      ])
    })

    it('finds by time: from an instant on, and before another', async () => {
      await using store = await open()
      for (const i of [1, 2, 3, 4]) await appendRun(store, `x-${i}`, 'ok', { at: minute(i) })
      expect(await found(store, { from: minute(2) })).toEqual(['x-4', 'x-3', 'x-2'])
      expect(await found(store, { to: minute(3) })).toEqual(['x-2', 'x-1'])
      expect(await found(store, { from: minute(2), to: minute(4) })).toEqual(['x-3', 'x-2'])
    })

    it.each(['client', 'service'] as const)(
      'finds a %s by its whole name or a prefix',
      async (by) => {
        await using store = await open()
        const names = ['KH/A_B/%/X', 'KH/A_B/%/XY', 'KH/AxB/%/X', 'KH/A_B/y/X', 'kh/A_B/%/X']
        for (const value of names) await append(store, requestEntry(value, { [by]: value }))
        await append(store, { exchangeId: 'none', side: 'client', kind: 'request', at: minute(0) })
        expect(await found(store, { [by]: 'KH/A_B/%/X' })).toEqual(['KH/A_B/%/X'])
        expect(await found(store, { [by]: 'KH/A_B/%*' })).toEqual(['KH/A_B/%/XY', 'KH/A_B/%/X'])
        expect(await found(store, { [by]: 'KH/A_*' })).toEqual([
          'KH/A_B/y/X',
          'KH/A_B/%/XY',
          'KH/A_B/%/X',
        ])
        expect(await found(store, { [by]: 'KH/%*' })).toEqual([])
        expect(await found(store, { [by]: 'KH' })).toEqual([])
        expect(await found(store, { [by]: '*' })).toEqual(names.toReversed())
      },
    )

    it.each(['ក្រសួង', '𠀀𠀁'])('finds by a prefix in any script: %s', async (script) => {
      await using store = await open()
      await append(store, requestEntry('x', { client: `KH/GOV/${script}/S` }))
      await append(store, requestEntry('y', { client: `KH/GOV/other/S` }))
      expect(await found(store, { client: `KH/GOV/${script}*` })).toEqual(['x'])
    })

    it('finds by exchange id and by message id, whole', async () => {
      await using store = await open()
      await appendRun(store, 'x-1', 'ok', { messageId: 'm_1' })
      await appendRun(store, 'x-2', 'ok', { messageId: 'm_1' })
      await appendRun(store, 'm_1', 'ok', { messageId: 'mx1' })
      expect(await found(store, { id: 'x-1' })).toEqual(['x-1'])
      expect(await found(store, { id: 'm_1' })).toEqual(['m_1', 'x-2', 'x-1'])
      expect(await found(store, { id: 'm' })).toEqual([])
    })

    it('takes all filters together', async () => {
      await using store = await open()
      await appendRun(store, 'x-1', 'ok', { client: 'KH/A/B/C', at: minute(1) })
      await appendRun(store, 'x-2', 'ok', { client: 'KH/A/B/D', at: minute(1) })
      await appendRun(store, 'x-3', 'error', { client: 'KH/A/B/C', at: minute(1) })
      await appendRun(store, 'x-4', 'ok', { client: 'KH/A/B/C', at: minute(5) })
      const query = { client: 'KH/A/B/C', service: 'KH/*', outcome: 'ok', to: minute(2) } as const
      expect(await found(store, query)).toEqual(['x-1'])
    })

    it('gives pages without gap or repeat, while others append', async () => {
      await using store = await open()
      const ids = Array.from({ length: 25 }, (_, i) => `x-${i}`)
      for (const id of ids) await appendRun(store, id, 'ok')
      const seen: string[] = []
      for (let before: number | undefined; ;) {
        const page = await store.list({ limit: 4, ...(before === undefined ? {} : { before }) })
        if (page.length === 0) break
        seen.push(...page.map(({ exchangeId }) => exchangeId))
        before = page.at(-1)?.position
        await appendRun(store, `late-${before}`, 'ok')
      }
      expect(seen).toEqual(ids.toReversed())
    })
  })

  describe(`${name} as an ExchangeLogStore: entries, after and servedSince`, () => {
    it('gives all entries of one exchange, oldest first, and of no other', async () => {
      await using store = await open()
      await append(store, requestEntry('x', { side: 'client' }))
      await append(store, requestEntry('y'))
      await append(store, requestEntry('x', { side: 'provider' }))
      await append(store, responseEntry('x', 3, { side: 'provider' }))
      expect((await store.entries('x')).map(({ position }) => position)).toEqual([1, 3, 4])
      expect(await store.entries('X')).toEqual([])
    })

    it('gives the entries after a position, oldest first, in pages', async () => {
      await using store = await open()
      for (const id of ['a', 'b', 'c', 'd', 'e']) await append(store, requestEntry(id))
      const ids = async (position: number, limit: number): Promise<string[]> =>
        (await store.after(position, limit)).map(({ exchangeId }) => exchangeId)
      expect(await ids(0, 2)).toEqual(['a', 'b'])
      expect(await ids(2, 9)).toEqual(['c', 'd', 'e'])
      expect(await ids(5, 9)).toEqual([])
      expect((await store.after(4, 1))[0]).toMatchObject(requestEntry('e'))
    })

    it('names the requests that were recorded on the provider side since an instant', async () => {
      await using store = await open()
      const provider = { side: 'provider' } as const
      await appendRun(store, 'before', 'ok', { ...provider, at: minute(1) })
      await appendRun(store, 'then', 'ok', { ...provider, at: minute(2) })
      await appendRun(store, 'failed', 'service.timeout', { ...provider, at: minute(3) })
      await appendRun(store, 'client', 'ok', { at: minute(3) })
      await append(store, refusalEntry('refused', 'access.denied', { ...provider, at: minute(3) }))
      expect(await store.servedSince(minute(2))).toEqual(['then', 'failed'])
      expect(await store.servedSince(minute(4))).toEqual([])
    })
  })
}
