/** Copies of a log's databases that fit each other, made while the gateway works. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '../runtime/config.ts'
import { syncFile } from './archive/archive-file.ts'

/**
 * In this order, so that nothing in the copy is ahead of what it rests on: a time-stamp has its checkpoint, a
 * checkpoint its records, a record the certificates that it was judged by.
 */
export const LOG_DATABASES = [
  'time-stamps.db',
  'log-tree.db',
  'exchange-log.db',
  'log-validation.db',
] as const

/**
 * Copies the databases of a log into a folder, which is there as a whole or not at all.
 *
 * @param folder where the log is.
 * @param target must not be there yet.
 * @param onCopy told of each database that is copied.
 * @throws ConfigError
 */
export function backUpLog(folder: string, target: string, onCopy: (name: string) => void): void {
  if (existsSync(target)) throw new ConfigError(`${target}: is there already; give a new folder`)
  const making = `${target}.new`
  try {
    rmSync(making, { recursive: true, force: true })
    mkdirSync(making, { recursive: true, mode: 0o700 })
    for (const name of LOG_DATABASES) {
      copy(join(folder, name), join(making, name))
      onCopy(name)
    }
    syncFile(making)
    renameSync(making, target)
    syncFile(join(target, '..'))
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`the log cannot be copied (${(cause as Error).message})`, { cause })
  }
}

/**
 * A copy is one moment of the database, however long it takes: one read transaction. SQLite's backup interface would
 * begin anew at each write of the gateway; and what was deleted is not copied along.
 */
function copy(from: string, to: string): void {
  if (!existsSync(from)) throw new ConfigError(`${from}: there is no such file`)
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 })
  try {
    // Else the free space of its pages keeps copies of rows, which erasing a row later would not reach.
    source.exec('PRAGMA secure_delete = ON')
    source.prepare('VACUUM INTO ?').run(to)
  } finally {
    source.close()
  }
  syncFile(to)
}
