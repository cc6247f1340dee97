import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { setUpPostgresLog } from '../../exchange-log/postgres-setup.ts'

/** A PostgreSQL server of its own, in a temporary folder, on a socket there: nothing of the machine's is touched. */
export interface PostgresServer extends AsyncDisposable {
  /** @param user `postgres` is the superuser. */
  url(user: string, database: string): string
  /** Where it listens. */
  readonly socket: string
  /** Runs statements, as the superuser unless another is named. */
  run(sql: string, database?: string, user?: string): Promise<Record<string, unknown>[]>
  /** An empty database of {@link OWNER}, in which a log is set up for {@link ROLE}. @returns its name. */
  newLog(): Promise<string>
  /** A database with all that another one has, to which nobody may be connected. @returns its name. */
  copyOf(database: string): Promise<string>
  /** `fast` as an administrator stops it, `immediate` as a crash does. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
}

export const OWNER = 'log_owner'
export const ROLE = 'log_gateway'
const PORT = 5432

const run = promisify(execFile)

export async function startPostgres(): Promise<PostgresServer> {
  const bin = await findPrograms()
  // PostgreSQL refuses to run as root; a socket's path has 107 characters at most, whatever TMPDIR is.
  const dir = mkdtempSync('/tmp/spean-pg-')
  const identity = userInfo().uid === 0 ? await identityOf('postgres') : {}
  if (identity.uid !== undefined) chownSync(dir, identity.uid, identity.gid!)
  const options = { ...identity, cwd: dir }
  const data = join(dir, 'data')
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8']
  await run(join(bin, 'initdb'), [...initdb, '--no-sync'], options)

  let server: ChildProcess | undefined
  let databases = 0
  const url = (user: string, database: string): string =>
    `postgres://${user}@${encodeURIComponent(dir)}:${PORT}/${database}`
  const sql = async (
    text: string,
    database = 'postgres',
    user = 'postgres',
  ): Promise<Record<string, unknown>[]> => {
    const client = new Client({ connectionString: url(user, database) })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }
  const start = async (): Promise<void> => {
    const settings = ['listen_addresses=', `unix_socket_directories=${dir}`, `port=${PORT}`]
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    const own = spawn(join(bin, 'postgres'), args, { ...options, stdio: 'ignore' })
    server = own
    for (let i = 0; ; i += 1) {
      if (own.exitCode !== null) throw new TypeError(`PostgreSQL ended with ${own.exitCode}`)
      const isUp = await sql('SELECT 1').then(
        () => true,
        () => false,
      )
      if (isUp) return
      if (i === 1000) throw new TypeError('PostgreSQL does not start')
      await delay(20)
    }
  }
  const stop = async (mode: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    const own = server
    server = undefined
    if (own === undefined || own.exitCode !== null) return
    const ended = once(own, 'exit')
    own.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await ended
  }
  await start()
  await sql(`CREATE ROLE ${OWNER} LOGIN CREATEDB; CREATE ROLE ${ROLE} LOGIN`)
  return {
    url,
    socket: join(dir, `.s.PGSQL.${PORT}`),
    run: sql,
    newLog: async () => {
      databases += 1
      const name = `log_${databases}`
      await sql(`CREATE DATABASE ${name} OWNER ${OWNER}`)
      await setUpPostgresLog(url(OWNER, name), ROLE)
      return name
    },
    copyOf: async (database) => {
      databases += 1
      const name = `log_${databases}`
      await sql(`CREATE DATABASE ${name} TEMPLATE ${database} OWNER ${OWNER}`)
      return name
    },
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop('immediate')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Debian has them beside the PATH, for each version. */
async function findPrograms(): Promise<string> {
  const { stdout } = await run('sh', ['-c', 'command -v postgres || true'])
  const resolved = stdout === '' ? '' : (await run('readlink', ['-f', stdout.trim()])).stdout.trim()
  if (resolved !== '') return join(resolved, '..')
  const root = '/usr/lib/postgresql'
  let versions: string[] = []
  try {
    versions = readdirSync(root)
  } catch {
    // there is none
  }
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined) throw new TypeError('PostgreSQL is missing; run: sh bin/test-tools')
  return join(root, newest, 'bin')
}

async function identityOf(user: string): Promise<{ uid?: number; gid?: number }> {
  const { stdout } = await run('id', ['-u', user])
  const { stdout: group } = await run('id', ['-g', user])
  return { uid: Number(stdout), gid: Number(group) }
}
