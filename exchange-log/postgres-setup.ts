import { Client, escapeIdentifier } from 'pg'
import { ConfigError } from '../runtime/config.ts'
import { grantsTo, POSTGRES_FUNCTIONS } from './postgres-functions.ts'
import { POSTGRES_SCHEMA_VERSION, POSTGRES_TABLES } from './postgres-tables.ts'

export interface PostgresRights {
  /** The role may read and not append: for whoever verifies the log. */
  readonly readOnly?: boolean
}

/** The script by which an owner makes the tables of a log for a role; for those who run it themselves. */
export function postgresSetupScript(role: string, rights: PostgresRights = {}): string {
  const grants = grantsTo(escapeIdentifier(role), rights)
  return `BEGIN;\n${POSTGRES_TABLES}${POSTGRES_FUNCTIONS}${grants}COMMIT;\n`
}

/** Several may be started at once; one does it. */
const LOCK = 0x7370_6561

/**
 * Makes the tables of a log, or makes sure of them, and lets a role append and read, or read. It may be run again,
 * also for another role.
 *
 * @param ownerUrl of a role that may create schemas in the database; it will own the tables.
 * @param role the gateway's; it must be there.
 * @returns whether the tables are new.
 * @throws ConfigError
 */
export async function setUpPostgresLog(
  ownerUrl: string,
  role: string,
  rights: PostgresRights = {},
): Promise<{ readonly isNew: boolean }> {
  const client = new Client({ connectionString: ownerUrl, application_name: 'spean-setup' })
  client.on('error', () => undefined) // a connection that breaks fails the statement that waits for it
  try {
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await verifyRole(client, role)
    const isNew = await verifyVersion(client)
    if (isNew) await client.query(POSTGRES_TABLES)
    await client.query(POSTGRES_FUNCTIONS)
    await client.query(grantsTo(escapeIdentifier(role), rights))
    await client.query('COMMIT')
    return { isNew }
  } catch (cause) {
    if (cause instanceof ConfigError || cause instanceof TypeError) throw cause
    throw new ConfigError(`PostgreSQL cannot be set up: ${(cause as Error).message}`, { cause })
  } finally {
    await client.end()
  }
}

interface Role {
  readonly isOwner: boolean
  readonly isPowerful: boolean
}

async function verifyRole(client: Client, role: string): Promise<void> {
  const { rows } = await client.query<Role>(
    `SELECT pg_has_role(oid, current_user, 'MEMBER') AS "isOwner",
       rolsuper OR rolbypassrls OR rolcreaterole AS "isPowerful"
     FROM pg_roles WHERE rolname = $1`,
    [role],
  )
  const [found] = rows
  if (!found) {
    throw new ConfigError(
      `the role ${role} is not there; make it first: CREATE ROLE ${escapeIdentifier(role)} LOGIN PASSWORD '…'`,
    )
  }
  if (found.isOwner || found.isPowerful) {
    throw new ConfigError(
      `the role ${role} owns the tables, or may do what it likes; name one that can only log in`,
    )
  }
  const { rows: settings } = await client.query<{ encoding: string }>(
    `SELECT current_setting('server_encoding') AS encoding`,
  )
  if (settings[0]?.encoding !== 'UTF8') {
    throw new ConfigError(
      'the database has another encoding than UTF8; make one with ENCODING UTF8',
    )
  }
}

/** @returns whether there is nothing yet. */
async function verifyVersion(client: Client): Promise<boolean> {
  const { rows: schemas } = await client.query<{ owner: string; isOwn: boolean; isLog: boolean }>(
    `SELECT nspowner::regrole::text AS owner, pg_has_role(nspowner, 'USAGE') AS "isOwn", EXISTS (
       SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'recordKey') AS "isLog"
     FROM pg_namespace AS n WHERE nspname = 'spean'`,
  )
  const [schema] = schemas
  if (schema === undefined) return true
  if (!schema.isLog) throw new ConfigError('there is a schema spean already, of something else')
  if (!schema.isOwn) throw new ConfigError(`the log belongs to the role ${schema.owner}`)
  const { rows } = await client.query<{ version: number }>('SELECT version FROM spean.version')
  if (rows[0]?.version === POSTGRES_SCHEMA_VERSION) return false
  throw new ConfigError(
    `its tables are of version ${rows[0]?.version}, this program's of ${POSTGRES_SCHEMA_VERSION}`,
  )
}
