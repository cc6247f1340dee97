import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openSqliteStampStore } from '../../exchange-log/stamp-store-sqlite.ts'
import { temporaryFolder } from '../pki/support.ts'
import { describeStampStore, stamp } from './stamp-store.contract.ts'

describeStampStore('SQLite', async () => {
  const file = join(temporaryFolder(), 'state', 'time-stamps.db')
  return { open: async () => openSqliteStampStore(file) }
})

describe('the SQLite store of time-stamps', () => {
  it('refuses while another connection holds the write lock, and takes stamps afterwards', async () => {
    const file = join(temporaryFolder(), 'time-stamps.db')
    await using store = openSqliteStampStore(file)
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.add(stamp(1))).rejects.toMatchObject({ name: 'StampStoreError' })
    expect(await store.last()).toBeUndefined()
    other.exec('ROLLBACK')
    other.close()
    expect(await store.add(stamp(1))).toBe(true)
    expect(await store.last()).toEqual(stamp(1))
  })

  it('cannot be opened on what is no database', () => {
    const file = join(temporaryFolder(), 'time-stamps.db')
    writeFileSync(file, 'this is a text that is long enough to be taken for one '.repeat(20))
    expect(() => openSqliteStampStore(file)).toThrow(
      expect.objectContaining({ name: 'ConfigError' }),
    )
  })

  it('leaves time-stamps of an earlier version alone, and says what to do with the file', () => {
    const file = join(temporaryFolder(), 'time-stamps.db')
    const earlier = new DatabaseSync(file)
    earlier.exec('CREATE TABLE stamp (first INTEGER PRIMARY KEY, last INTEGER, token BLOB)')
    earlier.exec("INSERT INTO stamp VALUES (1, 3, 'token')")
    earlier.close()
    const attempt = () => openSqliteStampStore(file)
    expect(attempt).toThrow(expect.objectContaining({ name: 'ConfigError' }))
    expect(attempt).toThrow(`${file}: its time-stamps are of another version`)
    expect(attempt).toThrow('move the file away')
    const after = new DatabaseSync(file)
    expect(after.prepare('SELECT count(*) AS n FROM stamp').get()).toEqual({ n: 1 })
    after.close()
  })
})
