import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { commitmentOf, recordText, type StoredRecord } from '../../exchange-log/record.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { append, requestEntry, toPlain } from './exchange-log-entries.ts'
import type { LogLocation } from './exchange-log-store.contract.ts'

const SCRIPT = join(import.meta.dirname, 'append-until-killed.ts')

/** Lets another process append, and kills it without warning after so many. @returns what it was told. */
export async function appendAndKill(where: string, target: number): Promise<Map<number, string>> {
  const child = spawn(process.execPath, [SCRIPT, where], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const acknowledged = new Map<number, string>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [position, exchangeId] = line.split(' ')
    // The last line may have been cut.
    if (exchangeId !== undefined && !acknowledged.has(Number(position))) {
      acknowledged.set(Number(position), exchangeId)
    }
    if (acknowledged.size === target) child.kill('SIGKILL')
  }
  await closed
  expect(child.signalCode).toBe('SIGKILL')
  return acknowledged
}

/** All records, with positions from 1 on without gaps, each as it was committed to. */
export async function wholeLog(store: ExchangeLogStore): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for (let more = true; more;) {
    const page = await store.after(records.length, 1000)
    records.push(...page)
    more = page.length > 0
  }
  expect(records.map(({ position }) => position)).toEqual(records.map((_, i) => i + 1))
  for (const stored of records) {
    expect(commitmentOf(stored.salt, recordText(toPlain(stored)))).toEqual(stored.commitment)
  }
  return records
}

const missing = (records: StoredRecord[], told: Map<number, string>): [number, string][] =>
  [...told].filter(([position, id]) => {
    const kept = records[position - 1]?.exchangeId
    return kept === undefined || !kept.startsWith(id)
  })

/** On a slow disk one of four writers may wait longer for the others than a store lets it: that is told, and no loss. */
async function appendUnlessLocked(
  store: ExchangeLogStore,
  id: string,
): Promise<number | undefined> {
  try {
    return await append(store, requestEntry(id))
  } catch (error) {
    if (error instanceof LogStoreError && error.message === 'database is locked') return undefined
    throw error
  }
}

/** What a log owes to several processes that use it at once, and to those that die. */
export function describeLogProcesses(name: string, newLog: () => Promise<LogLocation>): void {
  describe(`${name} as an ExchangeLogStore: several processes`, () => {
    it('has every record that was acknowledged before the process was killed', async () => {
      const { open, where } = await newLog()
      const told = new Map<number, string>()
      for (const target of [150, 300]) {
        for (const [position, id] of await appendAndKill(where, target)) told.set(position, id)
      }
      await using store = await open()
      const records = await wholeLog(store)
      expect(missing(records, told)).toEqual([])
      expect(told.size).toBeGreaterThanOrEqual(450)
      expect(await append(store, requestEntry('x-after'))).toBe(records.length + 1)
    })

    it('gives no position twice and leaves none out, and nothing comes in before what was read', async () => {
      const { open, where } = await newLog()
      await using store = await open()
      await using other = await open()
      const killed = Promise.all([appendAndKill(where, 200), appendAndKill(where, 250)])
      const told = new Map<number, string>()
      let isRunning = true
      const appendAlong = async (own: ExchangeLogStore, id: string): Promise<void> => {
        for (let i = 0; isRunning; i += 1) {
          const position = await appendUnlessLocked(own, `${id}-${i}`)
          if (position === undefined) continue
          expect(told.has(position)).toBe(false)
          told.set(position, `${id}-${i}`)
        }
      }
      const seen: StoredRecord[] = []
      const follow = async (): Promise<void> => {
        while (isRunning) {
          const page = await other.after(seen.length, 500)
          expect(page.map(({ position }) => position)).toEqual(
            page.map((_, i) => seen.length + i + 1),
          )
          seen.push(...page)
        }
      }
      const along = [appendAlong(store, 'a'), appendAlong(other, 'b'), follow()]
      try {
        for (const map of await killed) for (const [position, id] of map) told.set(position, id)
      } finally {
        isRunning = false
        await Promise.all(along)
      }
      const records = await wholeLog(store)
      expect(missing(records, told)).toEqual([])
      expect(records.slice(0, seen.length)).toEqual(seen)
      expect(new Set(records.map(({ exchangeId }) => exchangeId)).size).toBe(records.length)
    })
  })
}
