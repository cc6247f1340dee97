import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { append, requestEntry } from '../contract/exchange-log-entries.ts'
import { openLogAt } from '../contract/open-log-at.ts'
import { temporaryFolder } from '../pki/support.ts'
import { OWNER, ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}
async function setUp(...args: string[]): Promise<Result> {
  const command = [join(ROOT, 'cli/main.ts'), 'log', 'setup-postgres', ...args]
  try {
    return { code: 0, ...(await run(process.execPath, command)) }
  } catch (error) {
    return error as Result
  }
}
async function newDatabase(name: string): Promise<string> {
  await server.run(`CREATE DATABASE ${name} OWNER ${OWNER}`)
  const file = join(temporaryFolder(), 'owner.url')
  writePrivateFile(file, server.url(OWNER, name))
  return file
}

it('makes the tables of a log; a second time it says that they are there', async () => {
  const file = await newDatabase('made')
  const args = ['--owner-url-file', file, '--role', ROLE]
  expect(await setUp(...args)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('made') as string,
  })
  await using store = await openLogAt(server.url(ROLE, 'made'))
  expect(await append(store, requestEntry('x'))).toBe(1)
  const again = await setUp(...args)
  expect(again.stdout).toContain('there already')
  expect(await append(store, requestEntry('y'))).toBe(2)
})

it('prints the SQL that does the same, by psql too', async () => {
  await newDatabase('printed')
  const { stdout } = await setUp('--role', ROLE, '--print')
  const script = join(temporaryFolder(), 'setup.sql')
  writeFileSync(script, stdout)
  const url = server.url(OWNER, 'printed')
  await run('psql', ['--no-psqlrc', '--set', 'ON_ERROR_STOP=1', '--file', script, url])
  await using store = await openLogAt(server.url(ROLE, 'printed'))
  expect(await append(store, requestEntry('x'))).toBe(1)
})

it.each([
  ['without a database', ['--role', ROLE], '--owner-url-file'],
  ['without the file', ['--role', ROLE, '--owner-url-file', '/nowhere'], 'cannot be read'],
])('%s it ends with 2 and says what lacks', async (_, args, message) => {
  const result = await setUp(...args)
  expect(result.code).toBe(2)
  expect(result.stderr).toContain(message)
})

it('a role that is not there ends with 2, and the statement that makes it', async () => {
  const file = await newDatabase('roleless')
  const result = await setUp('--owner-url-file', file, '--role', 'missing "role"')
  expect(result.code).toBe(2)
  expect(result.stderr).toContain('CREATE ROLE "missing ""role""" LOGIN')
})
