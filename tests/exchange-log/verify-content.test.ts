import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { createErasure } from '../../exchange-log/erasure.ts'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import { createRecordKeys } from '../../exchange-log/record-keys.ts'
import type { LogEntry, LogRecord } from '../../exchange-log/record.ts'
import { createDigestCheck } from '../../exchange-log/verify/content-digests.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import { verifyLog, type VerifyResult } from '../../exchange-log/verify/verify-log.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { silent } from './support.ts'
import { run } from './tamper-support.ts'
import {
  copyOf,
  integrate,
  openSigner,
  sealedOf,
  stampAt,
  tamper,
  timeOf,
  told,
  verify,
  type WrittenLog,
} from './verify-support.ts'

const { tsa, log: original } = await logOfFile([200, 300])

async function change(log: WrittenLog, what: (stores: LogStores) => Promise<void>): Promise<void> {
  await using stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
  await what(stores)
}

async function withContent({ folder, key }: WrittenLog): Promise<VerifyResult> {
  await using source = openFolderSource(folder)
  const top = await openEncryptionKey(`${folder}/log-encryption.key`, { mayMake: false })
  const keys = await createRecordKeys({ key: top, clock: () => timeOf(0), logger: silent })
  const inspect = createDigestCheck(source.records, keys)
  return await verifyLog(source, { logKey: key.verifier, all: true, inspect })
}

describe('content', () => {
  it('is what the manifests sign, when it is decrypted', async () => {
    expect(told(await withContent(original))).toEqual([])
  })

  it.each([0, 1])('with a changed byte in part %i is altered', async (part) => {
    const log = copyOf(original)
    tamper(log, 'exchange-log.db', (db) => {
      const sql = 'SELECT bytes FROM content WHERE owner = 123 AND part = ?'
      const bytes = Buffer.from(db.prepare(sql).get(part)!.bytes as Uint8Array)
      bytes[0]! ^= 1
      run('UPDATE content SET bytes = ? WHERE owner = 123 AND part = ?', bytes, part)(db)
    })
    expect(told(await withContent(log))).toEqual(['content.altered 123'])
    expect(told(await verify(log, { all: true }))).toEqual([])
  })

  it('of one record in the place of another is altered', async () => {
    const log = copyOf(original)
    tamper(log, 'exchange-log.db', (db) => {
      for (const [table, column] of [
        ['content', 'owner'],
        ['recordKey', 'position'],
      ]) {
        const move = db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`)
        for (const [to, from] of [
          [-1, 7],
          [7, 8],
          [8, -1],
        ]) {
          move.run(to!, from!)
        }
      }
    })
    expect(told(await withContent(log))).toEqual(['content.altered 7', 'content.altered 8'])
  })

  it('that was erased is not missed, and everything else verifies', async () => {
    const log = copyOf(original)
    await change(log, async (stores) => {
      const { records } = stores
      const at = timeOf(301)
      const record = (entry: LogEntry): Promise<number> =>
        records.append(sealedOf({ ...entry, recordedAt: at }))
      const erasure = createErasure({ store: records, record, clock: () => at })
      const [stored] = await records.after(41, 1)
      const order = { actor: 'administrator', reason: 'a court said so' }
      expect(await erasure.eraseExchange(stored!.exchangeId, order)).toEqual([42])
      await integrate(stores, log.key)
    })
    const result = await withContent(log)
    expect(told(result)).toEqual([])
    expect(result.treeSize).toBe(301)
  })
})

describe('a record of the log itself', () => {
  const entry = (more: Partial<LogRecord>): LogRecord => ({
    ...{ exchangeId: randomUUID(), side: 'client', kind: 'request' },
    ...{ at: timeOf(301), recordedAt: timeOf(301) },
    ...more,
  })

  it('with a manifest that its certificate did not sign is named', async () => {
    const log = copyOf(original)
    await change(log, async (stores) => {
      const signer = await openSigner(stores)
      const [other] = await stores.records.after(9, 1)
      const message = { exchangeId: randomUUID(), at: timeOf(301), body: Buffer.from('x') }
      const signature = other!.manifest!.split('.')[2]
      const manifest = `${signer(message).split('.').slice(0, 2).join('.')}.${signature}`
      await stores.records.append(sealedOf(entry({ manifest })))
      await stores.records.append(sealedOf(entry({ manifest: 'nothing' })))
      await integrate(stores, log.key)
    })
    expect(told(await verify(log, { all: true, signatures: true }))).toEqual([
      'manifest.signature-invalid 301',
      'manifest.signature-invalid 302',
    ])
  })

  it('that was recorded by a clock set back is back-dated by the time-stamps', async () => {
    const log = copyOf(original)
    await change(log, async (stores) => {
      const recordedAt = new Date(timeOf(0).getTime() - 3_600_000)
      await stores.records.append(sealedOf(entry({ recordedAt })))
      await stores.records.append(sealedOf(entry({})))
      await integrate(stores, log.key)
      await stampAt(stores, 302, tsa)
    })
    expect(told(await verify(log, { all: true }))).toEqual(['record.back-dated 301'])
  })

  it('that is later than now is post-dated', async () => {
    const log = copyOf(original)
    await change(log, async (stores) => {
      const recordedAt = new Date(Date.now() + 3_600_000)
      await stores.records.append(sealedOf(entry({ recordedAt })))
      await integrate(stores, log.key)
    })
    expect(told(await verify(log, { all: true }))).toEqual(['record.post-dated 301'])
  })
})
