import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { archiveNext } from '../../exchange-log/archive/archiver.ts'
import { formatVkey } from '../../protocol/signed-note.ts'
import { openArchiving } from '../exchange-log/archive-support.ts'
import { run, type Change } from '../exchange-log/tamper-support.ts'
import { integrate, writeLog, type WrittenLog } from '../exchange-log/verify-support.ts'
import { temporaryFolder } from '../pki/support.ts'
import { createTsa, type TestTsa } from '../pki/tsp-support.ts'
import { ROOT } from '../support/sandbox.ts'

let tsa: TestTsa
let log: WrittenLog
let file: string
beforeAll(async () => {
  tsa = await createTsa()
  log = await writeLog([300, 400], tsa)
  await using archiving = await openArchiving(log)
  const { stores, options } = archiving
  const event = await archiveNext(options, { position: 200 }, 'administrator')
  await integrate(stores, log.key)
  file = join(log.folder, 'archives', event!.archive)
}, 60_000)
afterAll(() => {
  tsa[Symbol.dispose]()
  log[Symbol.dispose]()
})

function verify(...args: string[]): Promise<{ code: number; stdout: string }> {
  const command = [join(ROOT, 'cli', 'main.ts'), 'log', 'verify', ...args]
  const options = [...command, '--log-key', formatVkey(log.key.verifier)]
  return new Promise((done) => {
    execFile(process.execPath, options, (error, stdout) =>
      done({ code: Number(error?.code ?? 0), stdout }),
    )
  })
}

function altered(change: Change): string {
  const copy = join(temporaryFolder(), 'copy.archive')
  cpSync(file, copy)
  using db = new DatabaseSync(copy)
  change(db)
  return copy
}
const CONTENT = run(
  "UPDATE content SET bytes = CAST(bytes || x'00' AS BLOB) WHERE owner = 77 AND part = 1",
)

it('an archive verifies by itself, and with the log that has its keys', async () => {
  expect(await verify(file)).toMatchObject({ code: 0 })
  const keys = ['--content', join(log.folder, 'log-encryption.key')]
  const whole = await verify(log.folder, '--archive', file, ...keys)
  expect(whole.stdout).toContain('401, from position 1 to 401')
  expect(whole).toMatchObject({ code: 0 })
}, 60_000)

it('an archive that was altered later is found, and the record is named', async () => {
  const record = altered(run("UPDATE record SET userId = 'x' WHERE position = 55"))
  const found = await verify(record)
  expect(found.stdout).toMatch(/^record\.altered at 55 \(exchange [0-9a-f-]{36}\): /)
  expect(found.code).toBe(1)

  const content = altered(CONTENT)
  const alone = await verify(content)
  expect(alone.stdout).toMatch(/^archive\.altered: the content in .* is not the one/)
  expect(alone.code).toBe(1)
  const keys = ['--content', join(log.folder, 'log-encryption.key')]
  const withKeys = await verify(log.folder, '--archive', content, ...keys)
  expect(withKeys.stdout).toMatch(/^content\.altered at 77 /)
  expect(withKeys.code).toBe(1)
}, 60_000)
