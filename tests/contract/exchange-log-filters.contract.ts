import { describe, expect, it } from 'vitest'
import type { EventKind } from '../../exchange-log/record.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { append, appendRun, found, minute, requestEntry } from './exchange-log-entries.ts'
import type { LogLocation } from './exchange-log-store.contract.ts'

/** What auditors ask a log for, and the events among its records. */
export function describeLogFilters(name: string, newLog: () => Promise<LogLocation>): void {
  const open = async (): Promise<ExchangeLogStore> => (await newLog()).open()

  describe(`${name} as an ExchangeLogStore: what auditors ask for`, () => {
    it.each(['userId', 'issue', 'purpose'] as const)('finds by %s, whole', async (by) => {
      await using store = await open()
      await appendRun(store, 'x-1', 'ok', { [by]: 'ក/1' })
      await appendRun(store, 'x-2', 'ok', { [by]: 'ក/1*' })
      await appendRun(store, 'x-3', 'ok', { [by]: 'ក/1\\0' })
      await appendRun(store, 'x-4', 'ok')
      expect(await found(store, { [by]: 'ក/1' })).toEqual(['x-1'])
      expect(await found(store, { [by]: 'ក/1*' })).toEqual(['x-2'])
      expect(await found(store, { [by]: 'ក/1\\0' })).toEqual(['x-3'])
      expect(await found(store, { [by]: '' })).toEqual([])
      expect((await store.list({ [by]: 'ក/1', limit: 1 }))[0]).toMatchObject({ [by]: 'ក/1' })
    })

    it('shows an auditor what is at or below the names it may see, on either side', async () => {
      await using store = await open()
      const one = async (id: string, client: string, service: string): Promise<unknown> =>
        appendRun(store, id, 'ok', { client, service })
      await one('as client', 'KH/GOV/MOI/REGISTER', 'KH/COM/BANK/KYC/open')
      await one('as provider', 'KH/COM/BANK/KYC', 'KH/GOV/MOI/REGISTER/echo')
      await one('similar', 'KH/GOV/MOI2/REGISTER', 'KH/GOV/MO/I/echo')
      await one('pattern', 'KH/GOV/MOI_/REGISTER', 'KH/GOV/M%I/REGISTER/echo')
      await one('itself', 'KH/GOV/MOI', 'KH/GOV/OTHER/X/y')
      await append(store, { exchangeId: 'none', side: 'client', kind: 'request', at: minute(0) })
      const within = async (...names: string[]): Promise<string[]> =>
        found(store, { within: names })
      expect(await within('KH/GOV/MOI')).toEqual(['itself', 'as provider', 'as client'])
      expect(await within('KH/GOV/MOI/REGISTER/echo')).toEqual(['as provider'])
      expect(await within('KH/GOV/MOI/REGISTER/ech')).toEqual([])
      expect(await within('KH/GOV/MOI2', 'KH/GOV/MOI')).toHaveLength(4)
      expect(await within('KH/GOV/M%I')).toEqual(['pattern'])
      expect(await within('KH')).toHaveLength(5)
      expect(await within()).toEqual([])
      expect(await within('')).toEqual([])
      expect(await found(store, { within: ['KH/COM'], client: 'KH/GOV/*' })).toEqual(['as client'])
    })

    it.each(['erasure', 'hold', 'release', 'query', 'archive'] satisfies EventKind[])(
      'keeps a record of %s among those of its exchange, and out of the list',
      async (kind) => {
        await using store = await open()
        await appendRun(store, 'x-1', 'ok')
        const event = { exchangeId: 'x-1', kind, actor: 'auditor', detail: 'why', at: minute(3) }
        expect(await append(store, event)).toBe(3)
        expect((await store.entries('x-1'))[2]).toMatchObject({ ...event, position: 3 })
        expect((await store.after(2, 1))[0]).toMatchObject({ kind })
        expect(await store.list({ limit: 9 })).toMatchObject([{ position: 1, outcome: 'ok' }])
        expect(await found(store, { id: 'x-1' })).toEqual(['x-1'])
        expect(await found(store, { within: ['KH'] })).toEqual(['x-1'])
      },
    )

    it('lists exchanges with names that were never heard of, as texts and nothing else', async () => {
      await using store = await open()
      await append(store, requestEntry('x'))
      const hostile = ["' OR TRUE --", '$1', '%', '\\', '\0', '"', '{}', 'NULL', '*'.repeat(1000)]
      for (const value of hostile) {
        const asked = { id: value, userId: value, issue: value, purpose: value, code: value }
        expect(await found(store, { ...asked, client: value, within: [value] })).toEqual([])
        expect(await store.entries(value)).toEqual([])
      }
    })
  })
}
