/** What docs/deployment.md says of erasure in PostgreSQL, judged by the server's own files. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { ROLE, startPostgres } from '../support/postgres.ts'
import { requestEntry, sealed } from './exchange-log-entries.ts'
import { openLogAt } from './open-log-at.ts'

const run = promisify(execFile)

it('an erased key and body are in no file of the server, once the tables are rewritten and the WAL has turned', async () => {
  await using server = await startPostgres()
  const database = await server.newLog()
  await using store = await openLogAt(server.url(ROLE, database))
  const message = () => ({ wrappedKey: Buffer.from(randomUUID()), parts: [bodyOf(randomUUID())] })
  const messages = Array.from({ length: 30 }, message)
  for (const content of messages) await store.append({ ...sealed(requestEntry('x')), content })
  const countFiles = async (bytes: Buffer): Promise<number> => {
    await server.run('CHECKPOINT')
    const text = bytes.subarray(0, 36).toString()
    const search = run('grep', ['-rlaF', text, dirname(server.socket)])
    const { stdout } = await search.catch((error: { code: number }) => {
      expect(error.code).toBe(1) // found nowhere
      return { stdout: '' }
    })
    return stdout.split('\n').length - 1
  }
  const [erased, kept] = [messages[29]!, messages[28]!]
  for (const bytes of [erased.wrappedKey, erased.parts[0]!]) {
    expect(await countFiles(bytes)).toBeGreaterThanOrEqual(2) // table and WAL
  }
  await store.erase([30])
  await server.run('VACUUM FULL spean."recordKey"', database)
  await server.run('VACUUM FULL spean.content', database)
  const inWal = await countFiles(erased.wrappedKey)
  expect(inWal).toBe(1)
  for (let segment = 0; segment < 4; segment += 1) {
    await server.run('SELECT pg_switch_wal()')
    await store.append(sealed(requestEntry('x')))
    await server.run('CHECKPOINT')
  }
  expect(await countFiles(erased.wrappedKey)).toBe(0)
  expect(await countFiles(erased.parts[0]!)).toBe(0)
  expect(await countFiles(kept.wrappedKey)).toBeGreaterThanOrEqual(1)
  expect(await store.wrappedKey(29)).toEqual(kept.wrappedKey)
})

function bodyOf(text: string): Buffer {
  return Buffer.from(text.padEnd(5000, '.'))
}

it('an erased row is vacuumed without anyone asking for it', async () => {
  await using server = await startPostgres()
  await server.run('ALTER SYSTEM SET autovacuum_naptime = 1')
  await server.run('SELECT pg_reload_conf()')
  const database = await server.newLog()
  await using store = await openLogAt(server.url(ROLE, database))
  const content = { wrappedKey: Buffer.alloc(40), parts: [bodyOf('x')] }
  for (let i = 0; i < 1000; i += 1) {
    await store.append({ ...sealed(requestEntry('x')), ...(i < 2 ? { content } : {}) })
  }
  await store.erase([1])
  const vacuumed = async (): Promise<string[]> => {
    const sql = `SELECT relname FROM pg_stat_user_tables WHERE autovacuum_count > 0 AND n_dead_tup = 0
      AND (relname = 'recordKey' OR relname LIKE 'content%') ORDER BY 1`
    return (await server.run(sql, database)).map(({ relname }) => String(relname))
  }
  await expect
    .poll(vacuumed, { timeout: 30_000 })
    .toEqual([expect.stringMatching(/^content_/), 'recordKey'])
})
