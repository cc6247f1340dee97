import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../runtime/config.ts'
import { openSqliteDatabase, setVersion, type Database } from '../runtime/sqlite-database.ts'
import { MIGRATIONS } from './schema.ts'

/**
 * Opens `stateDir/catalogue.db`, which is made at the first start; one of an earlier version is brought up
 * to this one, as a whole or not at all.
 *
 * @throws ConfigError when it cannot be opened, belongs to another instance, or is gone while the
 * key that signed its snapshots is still there: numbers would begin again at one, and every gateway
 * would refuse them.
 */
export function openDatabase(stateDir: string, instance: string): Database {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  const file = join(stateDir, 'catalogue.db')
  const signs = ['snapshot.key', 'snapshot-signer.json'].map((name) => join(stateDir, name))
  if (!existsSync(file) && signs.some((name) => existsSync(name))) {
    throw new ConfigError(
      `${file}: is missing, but the key that signs is there; restore the database from a backup, ` +
        'or begin a new catalogue with a new anchor in an empty folder',
    )
  }
  return openSqliteDatabase(file, (database, version) => {
    if (version > MIGRATIONS.length) {
      throw new ConfigError(
        `${file}: is of version ${version}, this program knows ${MIGRATIONS.length}`,
      )
    }
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration)
    setVersion(database, MIGRATIONS.length)
    if (version === 0) database.run('INSERT INTO catalogue VALUES (?)', instance)
    const known = database.get<{ instance: string }>('SELECT instance FROM catalogue')!.instance
    if (known === instance) return
    throw new ConfigError(
      `${file}: is the catalogue of ${known}, the configuration says ${instance}`,
    )
  })
}
