/** A PostgreSQL server that goes away in every way, under the log of a gateway. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { append, found, requestEntry } from '../contract/exchange-log-entries.ts'
import { wholeLog } from '../contract/exchange-log-processes.contract.ts'
import { openLogAt } from '../contract/open-log-at.ts'
import { openCutLine } from '../support/cut-line.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const REJECTED = { name: 'LogStoreError' }
const newUrl = async (): Promise<string> => server.url(ROLE, await server.newLog())

it.each(['fast', 'immediate'] as const)(
  'a server that is stopped (%s) and started again loses nothing that was taken, and takes more',
  async (mode) => {
    await using store = await openLogAt(await newUrl())
    const taken = new Map<number, string>()
    let isRunning = true
    let refused = 0
    const appendAlong = async (id: string): Promise<void> => {
      for (let i = 0; isRunning; i += 1) {
        try {
          taken.set(await append(store, requestEntry(`${id}-${i}`)), `${id}-${i}`)
        } catch (error) {
          expect(error).toMatchObject(REJECTED)
          refused += 1
          await new Promise((done) => setTimeout(done, 5))
        }
      }
    }
    const along = ['a', 'b', 'c', 'd'].map(appendAlong)
    await expect.poll(() => taken.size, { timeout: 20_000 }).toBeGreaterThan(100)
    await server.stop(mode)
    await expect.poll(() => refused, { timeout: 20_000 }).toBeGreaterThan(3)
    await expect(store.list({ limit: 1 })).rejects.toMatchObject(REJECTED)
    const before = taken.size
    await server.start()
    await expect.poll(() => taken.size, { timeout: 20_000 }).toBeGreaterThan(before + 100)
    isRunning = false
    await Promise.all(along)
    const records = await wholeLog(store)
    for (const [position, id] of taken) expect(records[position - 1]?.exchangeId).toBe(id)
    expect(new Set(records.map(({ exchangeId }) => exchangeId)).size).toBe(records.length)
  },
)

async function withCutLine(
  work: (store: ExchangeLogStore, cutAt: (what: 'request' | 'answer') => void) => Promise<void>,
): Promise<void> {
  const database = await server.newLog()
  await using line = await openCutLine(server.socket)
  await using store = await openLogAt(`postgres://${ROLE}@127.0.0.1:${line.port}/${database}`)
  await append(store, requestEntry('first')) // connected
  await work(store, (what) => line.cutAt(what))
}

it('an append that never arrived is rejected, is not there, and the next one takes its position', () =>
  withCutLine(async (store, cutAt) => {
    cutAt('request')
    await expect(append(store, requestEntry('lost'))).rejects.toMatchObject(REJECTED)
    expect(await append(store, requestEntry('next'))).toBe(2)
    expect(await found(store)).toEqual(['next', 'first'])
  }))

it('an append whose answer was lost is rejected, is there once, and the next one follows it', () =>
  withCutLine(async (store, cutAt) => {
    cutAt('answer')
    await expect(append(store, requestEntry('unanswered'))).rejects.toMatchObject(REJECTED)
    expect(await append(store, requestEntry('next'))).toBe(3)
    expect(await found(store)).toEqual(['next', 'unanswered', 'first'])
    await wholeLog(store)
  }))

it('each further write fails the same two ways, and succeeds when it is asked for again', () =>
  withCutLine(async (store, cutAt) => {
    const writes = [
      () => store.stage(1, 0, Buffer.from('part')).catch(ignoreDuplicate),
      () => store.erase([1]),
      () => store.removeUpTo(1),
    ]
    for (const write of writes) {
      for (const what of ['request', 'answer'] as const) {
        await store.erase([0]) // connected
        cutAt(what)
        await write().catch((error: unknown) => expect(error).toMatchObject(REJECTED))
        await write()
      }
    }
    expect(await store.extent()).toMatchObject({ first: 2, last: 1 })
    expect(await append(store, requestEntry('next'))).toBe(2)
  }))

function ignoreDuplicate(error: unknown): void {
  if (!String(error).includes('duplicate key')) throw error
}

it('a session that hangs in a transaction holds up appends, and they go on when it ends', async () => {
  const database = await server.newLog()
  await using store = await openLogAt(server.url(ROLE, database))
  const locked = server.run(
    'BEGIN; UPDATE spean.extent SET last = last; SELECT pg_sleep(1); ROLLBACK',
    database,
  )
  await expect
    .poll(() => server.run("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    .toHaveLength(1)
  const [position] = await Promise.all([append(store, requestEntry('x')), locked])
  expect(position).toBe(1)
})
