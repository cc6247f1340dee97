/** Changes to the databases of a log, as somebody makes them who has all rights on the machine. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { commitmentOf, recordText } from '../../exchange-log/record.ts'
import { toRecord, type Row } from '../../exchange-log/sqlite-rows.ts'
import { HASH_BYTES, TILE_WIDTH } from '../../protocol/merkle-tree.ts'

export type Change = (db: DatabaseSync) => void

export const run =
  (sql: string, ...values: SQLInputValue[]): Change =>
  (db) =>
    void db.prepare(sql).run(...values)

/** Makes the commitment of a record anew, so that it fits what the record says now. */
export function recommit(db: DatabaseSync, position: number): Buffer {
  const row = db.prepare('SELECT * FROM record WHERE position = ?').get(position) as Row
  const { position: _, salt, commitment: _old, ...record } = toRecord({ ...row, staged: null })
  const commitment = commitmentOf(salt, recordText(record))
  db.prepare('UPDATE record SET commitment = ? WHERE position = ?').run(commitment, position)
  return commitment
}

export const tileOf = (db: DatabaseSync, level: number, number: number): Buffer => {
  const sql = 'SELECT hashes FROM tile WHERE level = ? AND number = ?'
  return Buffer.from(db.prepare(sql).get(level, number)!.hashes as Uint8Array)
}

export function setTile(db: DatabaseSync, level: number, number: number, hashes: Buffer): void {
  const sql = 'UPDATE tile SET hashes = ? WHERE level = ? AND number = ?'
  db.prepare(sql).run(hashes, level, number)
}

export function setLeaf(db: DatabaseSync, position: number, leaf: Uint8Array): void {
  const number = Math.floor((position - 1) / TILE_WIDTH)
  const hashes = tileOf(db, 0, number)
  hashes.set(leaf, ((position - 1) % TILE_WIDTH) * HASH_BYTES)
  setTile(db, 0, number, hashes)
}

/** Moves records and their content from a position on. */
export function renumber(db: DatabaseSync, from: number, by: number): void {
  for (const [table, column] of [
    ['record', 'position'],
    ['recordKey', 'position'],
    ['content', 'owner'],
  ]) {
    db.prepare(`UPDATE ${table} SET ${column} = -${column} WHERE ${column} >= ?`).run(from)
    db.prepare(`UPDATE ${table} SET ${column} = ? - ${column} WHERE ${column} < 0`).run(by)
  }
}

/** Removes the newest records and every trace of them: what is left was whole once. */
export function cutRecords(db: DatabaseSync, size: number): void {
  run('DELETE FROM record WHERE position > ?', size)(db)
  run('DELETE FROM recordKey WHERE position > ?', size)(db)
  run('DELETE FROM content WHERE owner > ?', size)(db)
  run("UPDATE sqlite_sequence SET seq = ? WHERE name = 'record'", size)(db)
}

export function cutTree(db: DatabaseSync, size: number): void {
  run('DELETE FROM checkpoint WHERE size > ?', size)(db)
  for (let level = 0, width = size; width > 0; level += 1, width = Math.floor(width / TILE_WIDTH)) {
    const number = Math.floor(width / TILE_WIDTH)
    run('DELETE FROM tile WHERE level = ? AND number > ?', level, number)(db)
    const left = (width % TILE_WIDTH) * HASH_BYTES
    if (left > 0) setTile(db, level, number, tileOf(db, level, number).subarray(0, left))
    else run('DELETE FROM tile WHERE level = ? AND number = ?', level, number)(db)
  }
}
