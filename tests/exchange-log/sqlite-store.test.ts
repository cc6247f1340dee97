/** What only the store in SQLite has; what every store owes stands in its contract. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { listStatement } from '../../exchange-log/sqlite-queries.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import type { ExchangeLogStore, LogQuery } from '../../exchange-log/store.ts'
import { appendRun, found, minute, requestEntry, sealed } from '../contract/exchange-log-entries.ts'
import { ConfigError } from '../../runtime/config.ts'
import { temporaryFolder } from '../pki/support.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { random } from './support.ts'

const freshFile = (): string => join(temporaryFolder(), 'exchange-log.db')
const open = (file: string): Promise<ExchangeLogStore> =>
  openSqliteLogStore(file, { maxBytes: 1_073_741_824 })
const ownersIn = (file: string): unknown[] => {
  using db = new DatabaseSync(file, { readOnly: true })
  const sql = 'SELECT owner, count(*) AS parts FROM content GROUP BY owner ORDER BY owner DESC'
  return db
    .prepare(sql)
    .all()
    .map((row) => [row.owner, row.parts])
}

describe('parts that were staged', () => {
  it('are swept at the next start when no record came, and kept when one did', async () => {
    const file = freshFile()
    {
      await using store = await open(file)
      for (let part = 0; part < 300; part += 1) await store.stage(7, part, random(100))
      for (let part = 0; part < 3; part += 1) await store.stage(8, part, random(100))
      const content = { wrappedKey: random(50), staged: 8 }
      await store.append({ ...sealed(requestEntry('x')), content })
    }
    expect(ownersIn(file)).toEqual([
      [-7, 300],
      [-8, 3],
    ])
    await using store = await open(file)
    expect(ownersIn(file)).toEqual([[-8, 3]])
    expect(await store.contentPart(1, 2)).toHaveLength(100)
    expect(await store.contentPart(1, 3)).toBeUndefined()
  })

  it('are left alone while another process may still name them', async () => {
    const file = freshFile()
    await using first = await open(file)
    await first.stage(7, 0, random(100))
    {
      await using _second = await open(file)
      expect(ownersIn(file)).toEqual([[-7, 1]])
    }
    const content = { wrappedKey: random(50), staged: 7 }
    await first.append({ ...sealed(requestEntry('x')), content })
    await using again = await open(file)
    expect(await again.contentPart(1, 0)).toHaveLength(100)
  })

  it('go with the record that is erased, and with the record that is removed', async () => {
    const file = freshFile()
    await using store = await open(file)
    for (const staged of [7, 8]) {
      for (let part = 0; part < 300; part += 1) await store.stage(staged, part, random(100))
      const content = { wrappedKey: random(50), staged }
      await store.append({ ...sealed(requestEntry(`x-${staged}`)), content })
    }
    await store.erase([1])
    expect(ownersIn(file)).toEqual([[-8, 300]])
    await store.removeUpTo(2)
    expect(ownersIn(file)).toEqual([])
    expect(await store.wrappedKey(1)).toBeUndefined()
    expect(await store.wrappedKey(2)).toBeInstanceOf(Buffer)
    expect(await store.extent()).toMatchObject({ first: 3, last: 2 })
    expect(await store.append(sealed(requestEntry('next')))).toBe(3)
  })
})

describe('a log without much room', () => {
  it('refuses what is too large for it, and stores what comes with that', async () => {
    await using store = await openSqliteLogStore(freshFile(), { maxBytes: 1_048_576 })
    // Those in the middle share a commit.
    const appends = Array.from({ length: 12 }, (_, i) => {
      const parts = [random(i === 6 ? 2_000_000 : 100)]
      const content = { wrappedKey: random(50), parts }
      return store.append({ ...sealed(requestEntry(`x-${i}`)), content })
    })
    const positions = (await Promise.allSettled(appends)).map((append) =>
      append.status === 'fulfilled' ? append.value : (append.reason as Error).name,
    )
    expect(positions).toEqual([1, 2, 3, 4, 5, 6, 'LogStoreError', 7, 8, 9, 10, 11])
    const ids = (await store.after(0, 20)).map(({ exchangeId }) => exchangeId)
    expect(ids).toEqual([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11].map((i) => `x-${i}`))
  })

  it('is not opened on a disk that takes no writes', async () => {
    using disk = mountSmallDisk(3_000_000)
    const file = join(disk.dir, 'exchange-log.db')
    {
      await using store = await open(file)
      await store.append(sealed(requestEntry('x')))
    }
    disk.makeReadOnly()
    await expect(open(file)).rejects.toThrow(ConfigError)
  })
})

const HOUR = { from: minute(0), to: minute(60) }
const DAYS = { from: minute(0), to: minute(60 * 24 * 40) }

describe('searches', () => {
  it.each<[string, string, Partial<LogQuery>]>([
    ['client and hour', 'recordByClient', { client: 'KH/GOV/A/S', ...HOUR }],
    ['client and days', 'recordByClient', { client: 'KH/GOV/A/S', ...DAYS }],
    ['client', 'recordByClient', { client: 'KH/GOV/A/S' }],
    ['client and outcome', 'recordByClient', { client: 'KH/GOV/A/S', outcome: 'ok' }],
    ['prefix of clients', 'recordByClient', { client: 'KH/GOV/A*' }],
    ['prefix of clients and hour', 'recordByTime', { client: 'KH/GOV/A*', ...HOUR }],
    ['service', 'recordByService', { service: 'KH/GOV/A/S/x' }],
    ['prefix of services and days', 'recordByService', { service: 'KH/GOV/A*', ...DAYS }],
    ['scope', 'recordByService', { within: ['KH/GOV/A', 'KH/GOV/B'] }],
    ['scope and hour', 'recordByTime', { within: ['KH/GOV/A'], ...HOUR }],
    ['user', 'recordByUser', { userId: 'u' }],
    ['case and hour', 'recordByIssue', { issue: 'c', ...HOUR }],
    ['purpose', 'recordByPurpose', { purpose: 'p' }],
    ['purpose and hour', 'recordByPurpose', { purpose: 'p', ...HOUR }],
    ['hour', 'recordByTime', HOUR],
    ['hour and outcome', 'recordByTime', { outcome: 'refused', ...HOUR }],
    ['exchange id', 'recordOfExchange', { id: 'x' }],
    ['message id', 'recordOfMessage', { id: 'x' }],
    ['refusals', 'recordOfRefusal', { outcome: 'refused' }],
    ['code', 'recordOfRefusal', { code: 'access.denied', ...DAYS }],
  ])('by %s use %s, and go over no table', async (_name, index, query) => {
    const file = freshFile()
    await using _store = await open(file)
    using db = new DatabaseSync(file, { readOnly: true })
    const { sql, parameters } = listStatement({ limit: 50, ...query })
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters)
    const steps = plan.map(({ detail }) => String(detail))
    expect(steps.filter((step) => new RegExp(`INDEX ${index}\\b`).test(step))).not.toEqual([])
    expect(steps.filter((step) => /^SCAN (f|l|record)$/.test(step))).toEqual([])
  })

  it('of a long time find the same as those of a short one', async () => {
    await using store = await open(freshFile())
    const clients = ['KH/A', 'KH/A/X', 'KH/A/Y', 'KH/AB/X', 'KH/A0/X', 'kh/A/X', 'KH/B/X']
    for (const client of clients) {
      await appendRun(store, client, 'access.denied', { client, service: 'KH/S/S/S' })
    }
    await appendRun(store, 'below', 'ok', { client: 'KH/C/X', service: 'KH/A/S/S' })
    for (const query of [
      { within: ['KH/A'] },
      { within: ['KH/A', 'KH/B/X', 'KH/A/X'] },
      { within: [] },
      { client: 'KH/A*' },
      { client: 'KH/A/*', within: ['KH/A/Y'] },
      { within: ['KH/S'], outcome: 'refused' },
      { code: 'access.denied', client: '*' },
    ] satisfies Partial<LogQuery>[]) {
      const short = await found(store, { ...query, ...HOUR })
      expect(await found(store, { ...query, ...DAYS })).toEqual(short)
      expect(await found(store, query)).toEqual(short)
    }
    expect(await found(store, { within: ['KH/A'] })).toEqual(['below', 'KH/A/Y', 'KH/A/X', 'KH/A'])
    expect(await found(store, { client: 'KH/A*' })).toEqual([
      ...['KH/A0/X', 'KH/AB/X', 'KH/A/Y', 'KH/A/X', 'KH/A'],
    ])
  })

  it('take a scope of thousands', async () => {
    await using store = await open(freshFile())
    await appendRun(store, 'x', 'ok', { client: 'KH/GOV/M-2999/S' })
    const within = Array.from({ length: 5000 }, (_, i) => `KH/GOV/M-${i}`)
    expect(await found(store, { within })).toEqual(['x'])
    expect(await found(store, { within, ...HOUR })).toEqual(['x'])
  })
})

it('removing many records holds up no append, and goes on after it was cut off', async () => {
  const file = freshFile()
  {
    await using store = await open(file)
    for (let i = 0; i < 40; i += 1) {
      const ids = Array.from({ length: 100 }, (_, j) => `x-${i}-${j}`)
      await Promise.all(ids.map((id) => store.append(sealed(requestEntry(id)))))
    }
    const removing = store.removeUpTo(3500).catch(() => undefined)
    await store.append(sealed(requestEntry('meanwhile')))
    await removing
    expect(await store.extent()).toMatchObject({ first: 3501, last: 4001 })
    void store.removeUpTo(4000).catch(() => undefined)
  }
  await using store = await open(file)
  await store.removeUpTo(4000)
  expect(await found(store)).toEqual(['meanwhile'])
})
