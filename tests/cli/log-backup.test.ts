import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createErasure } from '../../exchange-log/erasure.ts'
import { openLogStores } from '../../exchange-log/open-log.ts'
import { formatVkey } from '../../protocol/signed-note.ts'
import {
  appendRecords,
  copyOf,
  integrate,
  openSealer,
  openSigner,
  sealedOf,
  timeOf,
  told,
  verify,
  writeLog,
  type WrittenLog,
} from '../exchange-log/verify-support.ts'
import { ROOT } from '../support/sandbox.ts'
import { temporaryFolder } from '../pki/support.ts'

const run = promisify(execFile)
let original: WrittenLog
beforeAll(async () => {
  original = await writeLog([200, 400])
})
afterAll(() => original[Symbol.dispose]())

/** The commands of docs/backup.md under a heading, with places filled in. */
function documented(heading: string, places: Record<string, string>): string[] {
  const doc = readFileSync(join(ROOT, 'docs', 'backup.md'), 'utf8')
  const [, block = ''] =
    new RegExp(`## ${heading}[\\s\\S]*?\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(doc) ?? []
  const lines = block.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const filled = lines
    .filter((line) => line !== '')
    .map((line) =>
      line.replace(/[A-Z]+_DIR|VKEY/g, (place) => `'${places[place]}'`.replace(/^'(.*)'$/, '$1')),
    )
  expect(filled.length).toBeGreaterThan(1)
  return filled
}
const sh = (command: string) =>
  run('sh', [
    '-c',
    command.replace(/^spean /, `${process.execPath} ${join(ROOT, 'cli', 'main.ts')} `),
  ])

describe('backup and restore as documented', () => {
  it('gives a log that verifies while the first one is written, and goes on from there', async () => {
    const log = copyOf(original)
    const backup = join(temporaryFolder(), 'backup')
    const state = temporaryFolder()
    const places = { STATE_DIR: log.folder, BACKUP_DIR: backup, VKEY: formatVkey(log.key.verifier) }
    const stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
    const signer = await openSigner(stores)
    const sealer = await openSealer(log.folder, stores)
    let last = 400
    let isWriting = true
    const writing = (async () => {
      while (isWriting) {
        await appendRecords(stores, { from: last + 1, to: last + 50, signer, sealer })
        last += 50
        await integrate(stores, log.key)
      }
    })()
    for (const command of documented('Back up', places)) await sh(command)
    isWriting = false
    await writing
    await stores[Symbol.asyncDispose]()
    expect(readdirSync(backup).toSorted()).toEqual([
      ...['exchange-log.db', 'log-tree.db', 'log-validation.db', 'time-stamps.db'],
    ])
    for (const command of documented('Restore', { ...places, STATE_DIR: state })) {
      await sh(command)
    }
    const restored = { ...log, folder: state }
    const result = await verify(restored, { all: true, signatures: true })
    expect(told(result)).toEqual([])
    expect(result.to).toBeGreaterThan(400)
    expect(result.to).toBeLessThanOrEqual(last)
    {
      await using again = await openLogStores({ stateDir: state, maxBytes: 2 ** 32 })
      await integrate(again, log.key)
    }
    expect((await verify(restored)).treeSize).toBe(result.to)
  })

  it('brings nothing back that was erased when the log tells of it', async () => {
    const log = copyOf(original)
    const target = join(temporaryFolder(), 'copy')
    await using stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
    const { records } = stores
    const at = timeOf(401)
    const erasure = (store: typeof records) =>
      createErasure({
        store,
        record: (entry) => store.append(sealedOf({ ...entry, recordedAt: at })),
        clock: () => at,
      })
    const [record] = await records.after(9, 1)
    const key = (await records.wrappedKey(10))!
    const part = (await records.contentPart(10, 1))!
    // Cut off between the event and its effect, as a crash does.
    const cut = { ...records, erase: () => Promise.reject(new TypeError('the process ended')) }
    const order = { actor: 'administrator', reason: 'a court said so' }
    await expect(erasure(cut).eraseExchange(record!.exchangeId, order)).rejects.toThrow()
    await sh(`spean log backup ${log.folder} ${target}`)
    await using restored = await openLogStores({ stateDir: target, maxBytes: 2 ** 32 })
    expect(await restored.records.wrappedKey(10)).toEqual(key)
    await erasure(restored.records).finish()
    expect(await restored.records.wrappedKey(10)).toBeUndefined()
    for (const name of readdirSync(target)) {
      const bytes = readFileSync(join(target, name))
      expect([bytes.includes(key), bytes.includes(part)], name).toEqual([false, false])
    }
  })

  it('refuses a folder that is there, and leaves none that is not whole', async () => {
    const log = copyOf(original)
    await expect(sh(`spean log backup ${log.folder} ${log.folder}`)).rejects.toMatchObject({
      code: 2,
    })
    const target = join(temporaryFolder(), 'copy')
    rmSync(join(log.folder, 'log-validation.db'))
    await expect(sh(`spean log backup ${log.folder} ${target}`)).rejects.toMatchObject({ code: 2 })
    expect(existsSync(target)).toBe(false)
  })
})
