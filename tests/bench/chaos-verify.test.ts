import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { verifyLog, type Verified } from '../../bench/chaos/verify.ts'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { checkpointText } from '../../protocol/checkpoint.ts'
import { formatNote, signNote } from '../../protocol/signed-note.ts'
import { systemClock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { newLogKey, ORIGIN, temporaryDirectory } from '../exchange-log/tree-support.ts'

const key = newLogKey()
const ID = 'b3a1a7c0-0000-7000-8000-000000000001'

/** Three exchanges, of which the second is {@link ID}; then harmed, and verified. */
async function verdict(
  harm: string,
  given: { answered?: string[]; seen?: string[] } = {},
): Promise<Verified> {
  using folder = temporaryDirectory()
  const files = [`${folder.dir}/log.db`, `${folder.dir}/tree.db`] as const
  {
    await using records = await openSqliteLogStore(files[0], { maxBytes: 1e9 })
    await using tree = openSqliteTreeStore(files[1])
    const options = { records, tree, key, clock: systemClock, logger: createLogger('test') }
    await using integrator = startIntegrator(options)
    for (const exchangeId of [crypto.randomUUID(), ID, crypto.randomUUID()]) {
      for (const kind of ['request', 'response'] as const) {
        const at = new Date()
        const side = 'client'
        const record: LogRecord = { exchangeId, side, kind, at, recordedAt: at, manifest: 'a.b.c' }
        const salt = newSalt()
        await records.append({ record, salt, commitment: commitmentOf(salt, recordText(record)) })
        await integrator.integrateNow()
      }
    }
  }
  for (const file of harm === '' ? [] : files) {
    const db = new DatabaseSync(file)
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    const table = /(?:FROM|UPDATE) (\w+)/.exec(harm)?.[1]
    if (tables.some(({ name }) => name === table)) db.exec(harm)
    db.close()
  }
  await using records = await openSqliteLogStore(files[0], { maxBytes: 1e9 })
  await using tree = openSqliteTreeStore(files[1])
  const { answered = [ID], seen = [] } = given
  return await verifyLog({ stores: { records, tree }, verifier: key.verifier, answered, seen })
}

it('finds nothing in a log that is as it must be', async () => {
  const { findings, records } = await verdict('')
  expect([findings, records]).toEqual([[], 6])
})

it.each([
  ['DELETE FROM record WHERE position = 3', /record 3 is missing/],
  ['DELETE FROM record WHERE position = 6', /a checkpoint of 6, and 5 records/],
  ["UPDATE record SET manifest = 'a.b.d' WHERE position = 2", /record 2 .* than it commits to/],
  ['UPDATE record SET recordedAt = recordedAt - 1 WHERE position = 2', /record 2 .* commits to/],
  ['UPDATE record SET salt = zeroblob(32) WHERE position = 5', /record 5 .* commits to/],
  ['UPDATE record SET commitment = zeroblob(32) WHERE position = 1', /record 1 .* in its tile/],
  ['UPDATE tile SET hashes = zeroblob(192) WHERE level = 0', /record 1 .* in its tile/],
  ['DELETE FROM tile WHERE level = 0', /record 1 .* in its tile/],
  ['DELETE FROM checkpoint WHERE size = 6', /6 records, and 5 in the tree/],
  ["UPDATE checkpoint SET note = replace(note, '4', '3') WHERE size = 4", /stored checkpoint of 4/],
])('%s', async (harm, finding) => {
  expect((await verdict(harm)).findings).toContainEqual(expect.stringMatching(finding))
})

it('misses an exchange that was answered and is not there', async () => {
  const { findings } = await verdict('', { answered: [ID, 'another'] })
  expect(findings).toEqual(['exchange another was answered, and its manifests here are: none'])
})

it.each([3, 9])('finds a fork that somebody saw, of %i records', async (size) => {
  const text = checkpointText({ origin: ORIGIN, size, rootHash: Buffer.alloc(32, 7) })
  const note = formatNote(text, [signNote(text, key.verifier, key.privateKey)])
  const { findings } = await verdict('', { seen: [note] })
  expect(findings).toEqual([expect.stringMatching(`checkpoint of ${size}`)])
})
