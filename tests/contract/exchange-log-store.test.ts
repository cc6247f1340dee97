import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { temporaryFolder } from '../pki/support.ts'
import { found, requestEntry } from './exchange-log-entries.ts'
import { describeExchangeLogStore } from './exchange-log-store.contract.ts'

const GIGABYTE = 1_073_741_824
const freshFile = (): string => join(temporaryFolder(), 'state', 'exchange-log.db')
const open = (file: string, maxBytes = GIGABYTE): Promise<ExchangeLogStore> =>
  openSqliteLogStore(file, { maxBytes })

describeExchangeLogStore('SQLite', async () => {
  const file = freshFile()
  return { open: () => open(file) }
})

describe('the SQLite exchange log', () => {
  it('rejects while another connection holds the write lock, and takes entries afterwards', async () => {
    const file = freshFile()
    await using store = await open(file)
    await append(store, requestEntry('before'))
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const appends = Array.from({ length: 5 }, (_, i) => append(store, requestEntry(`locked-${i}`)))
    for (const append of appends) {
      await expect(append).rejects.toMatchObject({ name: 'LogStoreError' })
    }
    expect(await found(store)).toEqual(['before'])
    other.exec('ROLLBACK')
    other.close()
    expect(await append(store, requestEntry('after'))).toBe(2)
    expect(await found(store)).toEqual(['after', 'before'])
  })

  it('answers questions while a backup holds the write lock', async () => {
    const file = freshFile()
    await using store = await open(file)
    await append(store, requestEntry('x'))
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const append = append(store, requestEntry('y')).then(
      () => 'appended',
      () => 'rejected',
    )
    expect(await found(store)).toEqual(['x'])
    other.exec('ROLLBACK')
    other.close()
    expect(await append).toBe('appended')
  })

  it('takes entries up to its size, rejects beyond it, and goes on with a larger one', async () => {
    const file = freshFile()
    const manifest = 'x'.repeat(10_000)
    const taken: string[] = []
    {
      await using store = await open(file, 400_000)
      const append = async (id: string): Promise<boolean> => {
        const accepted = await append(store, requestEntry(id, { manifest })).then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ name: 'LogStoreError' })
            return false
          },
        )
        if (accepted) taken.push(id)
        return accepted
      }
      for (let i = 0; await append(`x-${i}`); i += 1) expect(i).toBeLessThan(100)
      expect(await append('x-again')).toBe(false)
      expect(taken.length).toBeGreaterThan(10)
      expect(await found(store)).toEqual(taken.toReversed())
    }
    const size = new DatabaseSync(file)
    expect(size.prepare('PRAGMA page_count').get()?.page_count).toBeLessThanOrEqual(
      400_000 / 16_384,
    )
    size.close()
    await using larger = await open(file)
    await larger.append(requestEntry('x-last', { manifest }))
    expect(await found(larger)).toEqual(['x-last', ...taken.toReversed()])
  })

  it('takes entries after one that it could not take', async () => {
    await using store = await open(freshFile())
    const faulty = append(store, requestEntry('faulty', { at: new Date(NaN) }))
    await expect(faulty).rejects.toMatchObject({ name: 'LogStoreError' })
    expect(await append(store, requestEntry('good'))).toBe(1)
    expect(await found(store)).toEqual(['good'])
  })

  it('takes a small entry after one that there was no room for', async () => {
    await using store = await open(freshFile(), 200_000)
    const large = append(store, requestEntry('large', { manifest: 'x'.repeat(1_000_000) }))
    await expect(large).rejects.toMatchObject({ name: 'LogStoreError' })
    expect(await append(store, requestEntry('small'))).toBe(1)
    expect(await found(store)).toEqual(['small'])
  })

  it.each([
    ['a text', 'this is no database, although it is long enough to look like one '.repeat(20)],
    ['another program’s database', ''],
  ])('cannot be opened on %s', async (_name, content) => {
    const file = join(temporaryFolder(), 'exchange-log.db')
    writeFileSync(file, content)
    if (content === '') {
      const other = new DatabaseSync(file)
      other.exec('CREATE TABLE entry (exchangeId BLOB)')
      other.close()
    }
    await expect(open(file)).rejects.toMatchObject({ name: 'ConfigError' })
  })

  it('cannot be opened where no folder can be made', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')
    await expect(open(join(file, 'state', 'exchange-log.db'))).rejects.toMatchObject({
      name: 'ConfigError',
    })
  })

  it('has every entry that was acknowledged before the process was killed', async () => {
    const file = freshFile()
    const script = join(import.meta.dirname, 'append-until-killed.ts')
    for (const target of [200, 500]) {
      const child = spawn(process.execPath, [script, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const closed = once(child, 'close')
      const acknowledged = new Map<number, string>()
      for await (const line of createInterface({ input: child.stdout })) {
        const [position, exchangeId] = line.split(' ')
        if (exchangeId !== undefined) acknowledged.set(Number(position), exchangeId)
        if (acknowledged.size === target) child.kill('SIGKILL')
      }
      await closed
      expect(child.signalCode).toBe('SIGKILL')
      await using store = await open(file)
      const kept = new Map<number, string>()
      for (let before = Number.MAX_SAFE_INTEGER; ;) {
        const page = await store.list({ limit: 1000, before })
        for (const { position, exchangeId } of page) kept.set(position, exchangeId)
        before = page.at(-1)?.position ?? 0
        if (page.length === 0) break
      }
      const lost = [...acknowledged].filter(([position, id]) => kept.get(position) !== id)
      expect(lost).toEqual([])
    }
  })
})
