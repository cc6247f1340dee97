import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openSqliteStampStore } from '../../exchange-log/stamp-store-sqlite.ts'
import { temporaryFolder } from '../pki/support.ts'
import { describeStampStore, stamp } from './stamp-store.contract.ts'

describeStampStore('SQLite', () => {
  const file = join(temporaryFolder(), 'state', 'time-stamps.db')
  return { open: () => openSqliteStampStore(file) }
})

describe('the SQLite store of time-stamps', () => {
  it('throws while another connection holds the write lock, and takes stamps afterwards', () => {
    const file = join(temporaryFolder(), 'time-stamps.db')
    using store = openSqliteStampStore(file)
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    expect(() => store.add(stamp(1, 1))).toThrow(
      expect.objectContaining({ name: 'StampStoreError' }),
    )
    expect(store.last()).toBeUndefined()
    other.exec('ROLLBACK')
    other.close()
    store.add(stamp(1, 1))
    expect(store.last()).toEqual(stamp(1, 1))
  })

  it('cannot be opened on what is no database', () => {
    const file = join(temporaryFolder(), 'time-stamps.db')
    writeFileSync(file, 'this is a text that is long enough to be taken for one '.repeat(20))
    expect(() => openSqliteStampStore(file)).toThrow(
      expect.objectContaining({ name: 'ConfigError' }),
    )
  })
})
