import { Pool, types, type CustomTypesConfig } from 'pg'
import { ConfigError } from '../runtime/config.ts'
import { POSTGRES_SCHEMA_VERSION } from './postgres-tables.ts'

/**
 * What waits for what: appends have a connection to themselves, so that nothing else holds up an exchange; and no
 * search, erasure or removal holds up the tree and the time-stamps, which are `work`.
 */
export type PostgresLane = keyof typeof LANES

export type PostgresRow = Record<string, unknown>

/** The database of a log. It may be away and come back: calls fail meanwhile, and succeed afterwards. */
export interface PostgresDatabase extends AsyncDisposable {
  /** Runs one statement, which is a transaction. @throws PostgresError */
  query<T extends object = PostgresRow>(
    lane: PostgresLane,
    sql: string,
    values?: readonly unknown[],
  ): Promise<T[]>
  /**
   * The same, with rows as arrays, in which a time is the text that PostgreSQL has for it in UTC: whoever reads what
   * nobody vouches for must not lose how it is written.
   *
   * @throws PostgresError
   */
  rows(lane: PostgresLane, sql: string, values?: readonly unknown[]): Promise<unknown[][]>
}

/** Runs one statement, with the errors of a store. */
export type Ask = <T extends object = PostgresRow>(
  lane: PostgresLane,
  sql: string,
  ...values: readonly unknown[]
) => Promise<T[]>

/** @param toError the error of a store for one of the database. */
export function askWith(
  database: PostgresDatabase,
  toError: (message: string, options: { cause: unknown }) => Error,
): Ask {
  return async <T extends object>(
    lane: PostgresLane,
    sql: string,
    ...values: readonly unknown[]
  ): Promise<T[]> => {
    try {
      return await database.query<T>(lane, sql, values)
    } catch (cause) {
      if (!(cause instanceof PostgresError)) throw cause
      throw toError(cause.message, { cause })
    }
  }
}

/** The database is away, or refused a statement. The message is for the operator. */
export class PostgresError extends Error {
  override readonly name = 'PostgresError'

  /** Whether the server answered, and cannot read what it stores: a damaged page, a value of which nothing can be made. */
  get isDamage(): boolean {
    return /^(XX|22)/.test(this.#told.code ?? '')
  }

  /** What the server said beside the message, when its answer has this SQLSTATE. */
  detailOf(code: string): string | undefined {
    return this.#told.code === code ? this.#told.detail : undefined
  }

  get #told(): { readonly code?: string; readonly detail?: string } {
    return this.cause as object
  }
}

const LANES = {
  append: { max: 1, timeoutMs: 15_000 },
  work: { max: 3, timeoutMs: 15_000 },
  maintain: { max: 1, timeoutMs: 3_600_000 },
  search: { max: 4, timeoutMs: 60_000 },
} as const

const CONNECT_MS = 10_000
/** How much longer than the server this side waits before it takes a connection for dead. */
const GRACE_MS = 5_000
const KEEP_ALIVE_MS = 10_000
const IDLE_MS = 60_000

// Durability and order are promises of the stores: do not trust the defaults of a server or a role.
const OPTIONS =
  '-c synchronous_commit=on -c default_transaction_isolation=read\\ committed -c TimeZone=UTC -c DateStyle=ISO -c jit=off'
const READ_ONLY = ' -c default_transaction_read_only=on'

/** `int8`; positions are integers of JavaScript. */
const INT8 = 20
const TIMESTAMPTZ = 1184
type Parser = (text: string) => unknown
const parserOf = (oid: number, format: 'text'): Parser => types.getTypeParser(oid, format) as Parser
const parsersWith = (times: Parser): CustomTypesConfig =>
  ({
    getTypeParser: (oid: number, format: 'text') => {
      if (oid === INT8) return Number
      return oid === TIMESTAMPTZ ? times : parserOf(oid, format)
    },
  }) as CustomTypesConfig
/** What is no time (`infinity`) is an invalid one, and no number. */
const TIMES_AS_DATES = parsersWith((text) => {
  const at = parserOf(TIMESTAMPTZ, 'text')(text)
  return at instanceof Date ? at : new Date(NaN)
})
const TIMES_AS_TEXT = parsersWith((text) => text)

/** @param url see {@link readPostgresUrl}. */
export function createPostgresDatabase(
  url: string,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): PostgresDatabase {
  const pools = new Map<PostgresLane, Pool>()
  for (const [lane, { max, timeoutMs }] of Object.entries(LANES)) {
    const pool = new Pool({
      connectionString: url,
      application_name: `spean-log-${lane}`,
      options: readOnly ? OPTIONS + READ_ONLY : OPTIONS,
      types: TIMES_AS_DATES,
      max,
      statement_timeout: timeoutMs,
      query_timeout: timeoutMs + GRACE_MS,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    })
    // A connection that broke while nobody used it: the next statement makes another one, and tells if it cannot.
    pool.on('error', () => undefined)
    pools.set(lane as PostgresLane, pool)
  }
  const run = async <T>(
    lane: PostgresLane,
    ask: (pool: Pool) => Promise<{ rows: T[] }>,
  ): Promise<T[]> => {
    try {
      return (await ask(pools.get(lane)!)).rows
    } catch (cause) {
      // What pg throws of itself, and what the system does, are plain errors; anything else is a bug.
      if (cause instanceof TypeError || cause instanceof RangeError) throw cause
      throw new PostgresError(`PostgreSQL: ${(cause as Error).message}`, { cause })
    }
  }
  return {
    query: <T extends object>(lane: PostgresLane, sql: string, values: readonly unknown[] = []) =>
      run<T>(lane, (pool) => pool.query<T>(sql, [...values])),
    rows: (lane, text, values = []) =>
      run<unknown[]>(lane, (pool) =>
        pool.query({ text, values: [...values], rowMode: 'array', types: TIMES_AS_TEXT }),
      ),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...pools.values()].map((pool) => pool.end()))
    },
  }
}

/**
 * Opens the database of a log, and makes sure of what the stores promise by it.
 *
 * @param readOnly nothing can be written, and any role will do that may read.
 * @throws ConfigError when it cannot be reached, or is not set up; to write also when it would lose what it
 * confirmed, or when the role in the URL could change records.
 */
export async function openPostgresDatabase(
  url: string,
  { readOnly = false }: { readonly readOnly?: boolean } = {},
): Promise<PostgresDatabase> {
  await using opening = new AsyncDisposableStack()
  const database = opening.use(createPostgresDatabase(url, { readOnly }))
  const problem = await findProblem(database, readOnly).catch((error: unknown) => {
    if (!(error instanceof PostgresError)) throw error
    return error.message
  })
  if (problem !== undefined) {
    throw new ConfigError(`the exchange log cannot be opened in PostgreSQL: ${problem}`)
  }
  opening.move()
  return database
}

interface Facts {
  readonly version: string
  readonly role: string
  readonly commit: string
  readonly fsync: string
  readonly isSetUp: boolean
}

async function findProblem(
  database: PostgresDatabase,
  readOnly: boolean,
): Promise<string | undefined> {
  const [facts] = await database.query<Facts>(
    'append',
    `SELECT current_setting('server_version') AS version, current_user AS role,
       current_setting('synchronous_commit') AS commit, current_setting('fsync') AS fsync,
       EXISTS (SELECT FROM pg_namespace WHERE nspname = 'spean' AND has_schema_privilege(oid, 'USAGE')) AS "isSetUp"`,
  )
  const { role, commit, fsync, isSetUp } = facts!
  const setUp = `run: spean log setup-postgres --owner-url-file FILE --role ${role}${readOnly ? ' --read-only' : ''}`
  if (!isSetUp) return `it is not set up for the role ${role}; ${setUp}`
  const [made] = await database.query<{ version: number }>(
    'append',
    'SELECT version FROM spean.version',
  )
  if (made?.version !== POSTGRES_SCHEMA_VERSION) {
    return `its tables are of version ${made?.version}, this program's of ${POSTGRES_SCHEMA_VERSION}; ${setUp}`
  }
  if (readOnly) return undefined
  if (fsync !== 'on') return 'fsync is off there: a power cut would take records away'
  if (commit !== 'on' && commit !== 'remote_apply') {
    return `the URL sets synchronous_commit to ${commit}: a power cut would take records away`
  }
  const [may] = await database.query<{ change: boolean }>(
    'append',
    `SELECT bool_or(has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS change
       FROM pg_class WHERE relnamespace = 'spean'::regnamespace AND relname = 'record'`,
  )
  if (may?.change !== false) {
    return `the role ${role} may change records; name a role of its own, which owns nothing, and ${setUp}`
  }
  return undefined
}
