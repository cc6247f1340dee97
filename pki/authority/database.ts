import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../runtime/config.ts'
import { openSqliteDatabase, setVersion, type Database } from '../../runtime/sqlite-database.ts'
import { SCHEMA, SCHEMA_VERSION } from './schema.ts'

/**
 * Opens the authority's records, `stateDir/authority.db`, which are made at the first start.
 *
 * @throws ConfigError when they cannot be used, or are gone while the certificates of the authority are
 * there: without its records it would call every certificate it ever issued unknown.
 */
export function openDatabase(stateDir: string): Database {
  const file = join(stateDir, 'authority.db')
  if (!existsSync(file) && existsSync(join(stateDir, 'root.pem'))) {
    throw new ConfigError(`${file}: is missing beside root.pem; restore it from the backup`)
  }
  return openSqliteDatabase(file, (database, version) => {
    if (version === SCHEMA_VERSION) return
    const isEmpty = database.get('SELECT name FROM sqlite_schema LIMIT 1') === undefined
    if (version !== 0 || !isEmpty) {
      throw new ConfigError(
        `${file}: is of version ${version}, this program knows ${SCHEMA_VERSION} only; begin with a new stateDir`,
      )
    }
    database.exec(SCHEMA)
    setVersion(database, SCHEMA_VERSION)
  })
}
