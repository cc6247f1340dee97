/** A gateway's log in its state folder, read without the gateway, and beside it while it runs. */
import type { LogStamp } from '../stamp-store.ts'
import type { StoredCheckpoint } from '../tree-store.ts'
import { openReadOnly, type ReadOnlyDatabase } from './read-only-database.ts'
import { recordReader } from './record-reader.ts'
import type { LiveSource, LogSource } from './source.ts'

/** @throws ConfigError when a file is missing, or is no database. */
export function openFolderSource(folder: string): LiveSource {
  using opening = new DisposableStack()
  const open = (name: string): ReadOnlyDatabase => opening.use(openReadOnly(`${folder}/${name}`))
  const db = open('exchange-log.db')
  const source = {
    records: recordReader(db),
    tree: treeReader(open('log-tree.db')),
    stamps: stampReader(open('time-stamps.db')),
    validation: validationReader(open('log-validation.db')),
  }
  const opened = opening.move()
  const keys = 'SELECT position FROM recordKey WHERE position > ? AND position <= ?'
  return {
    keysIn: async (after, upTo) => new Set(db.rows(keys, after, upTo).map(([at]) => Number(at))),
    ...source,
    [Symbol.asyncDispose]: async () => opened.dispose(),
  }
}

export function treeReader(db: ReadOnlyDatabase): LogSource['tree'] {
  const columns = 'SELECT size, rootHash, note, at FROM checkpoint'
  const toCheckpoint = ([size, rootHash, note, at]: unknown[]): StoredCheckpoint => ({
    size: size as number,
    rootHash: Buffer.from(rootHash as Uint8Array),
    note: note as string,
    at: new Date(at as number),
    cosignatures: db
      .rows('SELECT line FROM cosignature WHERE size = ? ORDER BY rowid', size as number)
      .map(([line]) => line as string),
  })
  return {
    head: async () => {
      const row = db.row(`${columns} ORDER BY size DESC LIMIT 1`)
      return row && toCheckpoint(row)
    },
    checkpoints: async (size, limit) =>
      db.rows(`${columns} WHERE size > ? ORDER BY size LIMIT ?`, size, limit).map(toCheckpoint),
    tile: async (level, index) => {
      const sql = 'SELECT hashes FROM tile WHERE level = ? AND number = ?'
      const row = db.row(sql, level, index)
      return row && Buffer.from(row[0] as Uint8Array)
    },
  }
}

export function stampReader(db: ReadOnlyDatabase): LogSource['stamps'] {
  const columns = 'SELECT size, token, genTime, serial, authority, at FROM stamp'
  const one = (rest: string, ...values: number[]): LogStamp | undefined => {
    const row = db.row(`${columns} ${rest} LIMIT 1`, ...values)
    if (row === undefined) return undefined
    const [size, token, genTime, serial, authority, at] = row as [
      number,
      Uint8Array,
      number,
      string,
      string,
      number,
    ]
    const times = { genTime: new Date(genTime), at: new Date(at) }
    return { size, token: Buffer.from(token), serial, authority, ...times }
  }
  return {
    covering: async (position) => one('WHERE size >= ? ORDER BY size', position),
    last: async () => one('ORDER BY size DESC'),
  }
}

export function validationReader(db: ReadOnlyDatabase): LogSource['validation'] {
  return {
    certificate: async (thumbprint) => {
      const row = db.row('SELECT der FROM certificate WHERE thumbprint = ?', thumbprint)
      return row && Buffer.from(row[0] as Uint8Array)
    },
  }
}
