import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { temporaryFolder } from '../pki/support.ts'
import { append, found, requestEntry, sealed } from './exchange-log-entries.ts'
import { describeLogContent } from './exchange-log-content.contract.ts'
import { describeLogFilters } from './exchange-log-filters.contract.ts'
import { describeLogOnce } from './exchange-log-once.contract.ts'
import { describeLogProcesses } from './exchange-log-processes.contract.ts'
import { describeExchangeLogStore, type LogLocation } from './exchange-log-store.contract.ts'

const GIGABYTE = 1_073_741_824
const freshFile = (): string => join(temporaryFolder(), 'state', 'exchange-log.db')
const open = (file: string, maxBytes = GIGABYTE): Promise<ExchangeLogStore> =>
  openSqliteLogStore(file, { maxBytes })

const newLog = async (): Promise<LogLocation> => {
  const file = freshFile()
  return { open: () => open(file), where: file }
}
describeExchangeLogStore('SQLite', newLog)
describeLogFilters('SQLite', newLog)
describeLogContent('SQLite', newLog)
describeLogProcesses('SQLite', newLog)
describeLogOnce('SQLite', newLog)

describe('the SQLite exchange log', () => {
  it('rejects while another connection holds the write lock, and takes entries afterwards', async () => {
    const file = freshFile()
    await using store = await open(file)
    await append(store, requestEntry('before'))
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const appends = Array.from({ length: 5 }, (_, i) => append(store, requestEntry(`locked-${i}`)))
    for (const appended of appends) {
      await expect(appended).rejects.toMatchObject({ name: 'LogStoreError' })
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
    const appended = append(store, requestEntry('y')).then(
      () => 'appended',
      () => 'rejected',
    )
    expect(await found(store)).toEqual(['x'])
    other.exec('ROLLBACK')
    other.close()
    expect(await appended).toBe('appended')
  })

  it('takes entries up to its size, rejects beyond it, and goes on with a larger one', async () => {
    const file = freshFile()
    const manifest = 'x'.repeat(10_000)
    const taken: string[] = []
    {
      await using store = await open(file, 800_000)
      const take = async (id: string): Promise<boolean> => {
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
      for (let i = 0; await take(`x-${i}`); i += 1) expect(i).toBeLessThan(200)
      expect(await take('x-again')).toBe(false)
      expect(taken.length).toBeGreaterThan(10)
      expect(await found(store)).toEqual(taken.toReversed())
    }
    const size = new DatabaseSync(file)
    expect(size.prepare('PRAGMA page_count').get()?.page_count).toBeLessThanOrEqual(
      800_000 / 16_384,
    )
    size.close()
    await using larger = await open(file)
    await append(larger, requestEntry('x-last', { manifest }))
    expect(await found(larger)).toEqual(['x-last', ...taken.toReversed()])
  })

  it('takes entries after one that it could not take', async () => {
    await using store = await open(freshFile())
    const good = sealed(requestEntry('faulty'))
    const faulty = { ...good, record: { ...good.record, at: new Date(NaN) } }
    await expect(store.append(faulty)).rejects.toMatchObject({ name: 'LogStoreError' })
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
})
