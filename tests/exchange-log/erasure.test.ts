import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { createErasure } from '../../exchange-log/erasure.ts'
import { PART_BYTES } from '../../exchange-log/sealing.ts'
import { commitmentOf, recordText, type ExchangeEntry } from '../../exchange-log/record.ts'
import { LogStoreError } from '../../exchange-log/store.ts'
import { requestEntry, responseEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import { bodyOf, message, NOW, openLog, random, storedBodyOf, type OpenLog } from './support.ts'

const ORDER = { actor: 'administrator', reason: 'request of the person' }

/** A request and its answer, with bodies. */
async function exchange(
  { log }: OpenLog,
  id: string,
  more: Partial<ExchangeEntry> = {},
): Promise<number> {
  const begun = await log.record(requestEntry(id, more), message(bodyOf(random(2000))))
  await log.record(responseEntry(id, begun), message(bodyOf(random(2000))))
  return begun
}

const keptOf = async (open: OpenLog, exchangeId: string): Promise<number[]> =>
  (await open.records.contents({ exchangeId, limit: 100 })).map(({ position }) => position)

/** Every sequence of bytes that is the key of a record, or a part of its content. */
async function secretsOf({ records }: OpenLog, position: number): Promise<Buffer[]> {
  const secrets = [(await records.wrappedKey(position))!.subarray(-48)]
  for (let part = 0; ; part += 1) {
    const bytes = await records.contentPart(position, part)
    if (bytes === undefined) return secrets
    // Pages cut long ones: pieces of each.
    for (let from = 0; from + 32 <= bytes.length; from += 500) {
      secrets.push(bytes.subarray(from, from + 32))
    }
  }
}

/** How many of the secrets are in any file. */
function countFound(dir: string, secrets: readonly Buffer[]): number {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name)))
  return secrets.filter((secret) => files.some((bytes) => bytes.includes(secret))).length
}

describe('erasing an exchange', () => {
  it('takes key and content out of every file, and leaves the records as they are', async () => {
    const dir = temporaryFolder()
    await using open = await openLog(dir)
    await exchange(open, 'x')
    const stored = await open.log.record(
      requestEntry('x'),
      message(storedBodyOf(random(3 * PART_BYTES))),
    )
    await exchange(open, 'other')
    const before = await open.records.entries('x')
    const all = await Promise.all([1, 2, stored].map((position) => secretsOf(open, position)))
    for (const secrets of all) {
      // A few lie across two pages.
      expect(countFound(dir, secrets)).toBeGreaterThan(secrets.length * 0.8)
    }

    expect(await open.erasure.eraseExchange('x', ORDER)).toEqual([1, 2, stored])
    expect(countFound(dir, all.flat())).toBe(0)
    expect(await open.content.headers(1)).toBeUndefined()
    expect(await open.content.body(1)).toBeUndefined()
    expect(await keptOf(open, 'other')).toEqual([4, 5])

    const [event, ...more] = (await open.records.entries('x')).slice(before.length)
    expect(more).toEqual([])
    expect((await open.records.entries('x')).slice(0, before.length)).toEqual(before)
    expect(event).toMatchObject({ kind: 'erasure', actor: 'administrator', at: NOW })
    expect(JSON.parse(event!.detail!)).toEqual({
      positions: [[1, stored]],
      reason: 'request of the person',
    })
    for (const { position, salt, commitment, ...record } of await open.records.after(0, 100)) {
      expect([position, commitmentOf(salt, recordText(record))]).toEqual([position, commitment])
    }
  })

  it('does nothing the second time, and says so of an exchange that there is not', async () => {
    await using open = await openLog(temporaryFolder())
    await exchange(open, 'x')
    await open.erasure.eraseExchange('x', ORDER)
    expect(await open.erasure.eraseExchange('x', ORDER)).toEqual([])
    expect((await open.records.entries('x')).map(({ kind }) => kind)).toEqual([
      'request',
      'response',
      'erasure',
    ])
    const none = open.erasure.eraseExchange('y', ORDER)
    await expect(none).rejects.toMatchObject({ code: 'admin.not-found' })
  })

  it('waits for a reader that still sees what was there, and is done when it has ended', async () => {
    const dir = temporaryFolder()
    await using open = await openLog(dir)
    await exchange(open, 'x')
    const secrets = await secretsOf(open, 1)
    using reader = new DatabaseSync(join(dir, 'exchange-log.db'), { readOnly: true })
    reader.exec('BEGIN')
    expect(reader.prepare('SELECT count(*) AS n FROM recordKey').get()).toEqual({ n: 2 })
    let isDone = false
    const erasing = open.erasure.eraseExchange('x', ORDER).then(() => (isDone = true))
    // Appends do not wait with it.
    for (let i = 0; i < 20; i += 1) await exchange(open, `y-${i}`)
    expect(isDone).toBe(false)
    expect(countFound(dir, secrets)).toBeGreaterThan(1)
    reader.exec('COMMIT')
    await erasing
    expect(countFound(dir, secrets)).toBe(0)
  })

  it('is brought to its end when the store failed after the event, once, and after a start', async () => {
    const dir = temporaryFolder()
    {
      await using open = await openLog(dir)
      await exchange(open, 'x')
      const failing = createErasure({
        store: {
          contents: (query) => open.records.contents(query),
          entries: (id) => open.records.entries(id),
          events: (...page) => open.records.events(...page),
          erase: () => Promise.reject(new LogStoreError('the disk is full')),
        },
        record: (event) => open.log.recordEvent(event),
        clock: () => NOW,
      })
      const code = 'log.erasure-unfinished'
      await expect(failing.eraseExchange('x', ORDER)).rejects.toMatchObject({ code })
      expect(await keptOf(open, 'x')).toEqual([1, 2])
    }
    await using again = await openLog(dir)
    await again.erasure.finish()
    expect(await keptOf(again, 'x')).toEqual([])
    expect(await again.records.entries('x')).toHaveLength(3)
  })
})

describe('a legal hold', () => {
  it.each<[string, Parameters<OpenLog['erasure']['hold']>[0]]>([
    ['exchange', { exchangeId: 'x' }],
    ['client', { client: 'KH/COM/BANK/KYC' }],
    ['member of the client', { client: 'KH/COM/BANK' }],
    ['service', { service: 'KH/GOV/REG/POP/echo' }],
    ['member of the service', { service: 'KH/GOV/REG' }],
    ['user', { userId: 'user-1' }],
    ['case', { issue: 'case-1' }],
    ['time', { from: NOW, to: new Date(NOW.getTime() + 1) }],
    ['all of them', { client: 'KH/COM/BANK', userId: 'user-1', from: NOW }],
  ])('by %s keeps an exchange until it is released, also after a start', async (_name, scope) => {
    const dir = temporaryFolder()
    const known = { userId: 'user-1', issue: 'case-1', at: NOW }
    {
      await using open = await openLog(dir)
      await exchange(open, 'x', known)
      await open.erasure.hold(scope, ORDER)
    }
    await using open = await openLog(dir)
    const refused = open.erasure.eraseExchange('x', ORDER)
    await expect(refused).rejects.toMatchObject({ code: 'log.held', status: 409 })
    expect(await keptOf(open, 'x')).toEqual([1, 2])
    const [hold] = await open.erasure.holds()
    expect(hold).toMatchObject({ scope, reason: ORDER.reason, position: 3 })
    await open.erasure.release(hold!.id, { actor: 'administrator', reason: 'the case is closed' })
    expect(await open.erasure.eraseExchange('x', ORDER)).toEqual([1, 2])
    const again = open.erasure.release(hold!.id, ORDER)
    await expect(again).rejects.toMatchObject({ code: 'admin.not-found' })
  })

  it.each<[string, Parameters<OpenLog['erasure']['hold']>[0]]>([
    ['another exchange', { exchangeId: 'y' }],
    ['a client whose name begins alike', { client: 'KH/COM/BANK/KY' }],
    ['another user', { userId: 'user-2' }],
    ['the time before', { to: NOW }],
    ['a user at another service', { userId: 'user-1', service: 'KH/GOV/OTHER' }],
  ])('on %s keeps nothing', async (_name, scope) => {
    await using open = await openLog(temporaryFolder())
    await exchange(open, 'x', { userId: 'user-1', at: NOW })
    await open.erasure.hold(scope, ORDER)
    expect(await open.erasure.eraseExchange('x', ORDER)).toEqual([1, 2])
  })

  it('that another gateway recorded before the erasure counts, and one from after it does not', async () => {
    await using open = await openLog(temporaryFolder())
    await exchange(open, 'x')
    await exchange(open, 'y')
    const others = open.erasure
    const racing = createErasure({
      store: open.records,
      record: async (event) => {
        if (event.kind === 'erasure') await others.hold({ exchangeId: event.exchangeId }, ORDER)
        const position = await open.log.recordEvent(event)
        if (event.kind === 'erasure') await others.hold({ exchangeId: 'y' }, ORDER)
        return position
      },
      clock: () => NOW,
    })
    expect(await racing.eraseExchange('x', ORDER)).toEqual([])
    await open.erasure.finish()
    expect(await keptOf(open, 'x')).toEqual([1, 2])
    expect(await keptOf(open, 'y')).toEqual([3, 4])
  })

  it('holds on when its record was archived, and so does what tells whom content is of', async () => {
    await using open = await openLog(temporaryFolder())
    await exchange(open, 'x', { userId: 'user-1' })
    await open.erasure.hold({ userId: 'user-1' }, ORDER)
    await exchange(open, 'y', { userId: 'user-2' })
    await open.records.removeUpTo(4)
    expect(await open.records.entries('x')).toEqual([])
    expect(await keptOf(open, 'x')).toEqual([1, 2])
    const refused = open.erasure.eraseExchange('x', ORDER)
    await expect(refused).rejects.toMatchObject({ code: 'log.held' })
    expect(await open.erasure.eraseExchange('y', ORDER)).toEqual([4, 5])
    expect(await open.records.wrappedKey(1)).toBeInstanceOf(Buffer)
    expect(await open.records.wrappedKey(4)).toBeUndefined()
  })
})
