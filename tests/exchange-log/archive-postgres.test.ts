/** Months of a log in PostgreSQL that leave it, on a real server. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { folderPlace } from '../../exchange-log/archive/archive-place.ts'
import { openArchiveSource } from '../../exchange-log/archive/archive-source.ts'
import { archiveNext, type ArchiverOptions } from '../../exchange-log/archive/archiver.ts'
import { chainRecords } from '../../exchange-log/archive/chained-records.ts'
import { createErasure } from '../../exchange-log/erasure.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import { verifyLog, type VerifyResult } from '../../exchange-log/verify/verify-log.ts'
import { temporaryFolder } from '../pki/support.ts'
import { createTsa, type TestTsa } from '../pki/tsp-support.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { bodyOf, message } from './support.ts'
import { openStores } from './verify-postgres-support.ts'
import {
  integrate,
  newLogKey,
  openSealer,
  openSigner,
  sealedOf,
  stampAt,
  told,
} from './verify-support.ts'

let server: PostgresServer
let tsa: TestTsa
beforeAll(async () => {
  ;[server, tsa] = await Promise.all([startPostgres(), createTsa()])
})
afterAll(async () => {
  tsa[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

const RECORDS = 60
/** In the middle of a month, counted back from this one. */
const monthsAgo = (months: number): Date => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 15))
}

/** As many records in each of two months that are over, and in the last minute. */
async function fillMonths(stores: LogStores, folder: string): Promise<void> {
  const signer = await openSigner(stores)
  const sealer = await openSealer(folder, stores)
  for (const begun of [monthsAgo(3), monthsAgo(2), new Date(Date.now() - 60_000)]) {
    for (let i = 0; i < RECORDS; i += 1) {
      const at = new Date(begun.getTime() + i)
      const exchangeId = randomUUID()
      const body = Buffer.from(`body ${exchangeId}`)
      const manifest = signer({ exchangeId, at, body })
      const content = await sealer.seal(message(bodyOf(body)), 'full')
      const record = { exchangeId, at, recordedAt: at, manifest, bodyBytes: body.length }
      const kinds = { side: 'client', kind: 'request', kept: 'full' } as const
      await stores.records.append(sealedOf({ ...record, ...kinds }, content))
    }
  }
}

it('leave as files that verify with what is left, are dropped as tables, and erasures reach what is in them', async () => {
  const database = await server.newLog()
  const folder = temporaryFolder()
  const key = newLogKey()
  await using stores = await openStores(server, database)
  await fillMonths(stores, folder)
  await integrate(stores, key)
  await stampAt(stores, 3 * RECORDS, tsa)
  const monthTables = async (): Promise<number> => {
    const sql = `SELECT FROM pg_class WHERE relnamespace = 'spean'::regnamespace AND relkind = 'r'
      AND (relname LIKE 'record\\_2%' OR relname LIKE 'content\\_2%')`
    return (await server.run(sql, database)).length
  }
  const place = folderPlace(join(folder, 'archives'))
  const record: ArchiverOptions['record'] = (event) =>
    stores.records.append(sealedOf({ ...event, recordedAt: event.at }))
  const options: ArchiverOptions = {
    ...{ stores, place, record, logKey: key.verifier },
    clock: () => new Date(),
    signal: new AbortController().signal,
  }
  const verify = async (names: readonly string[]): Promise<VerifyResult> => {
    await using live = await openPostgresSource(server.url(ROLE, database))
    await using opened = new AsyncDisposableStack()
    const archives = names.map((name) =>
      opened.use(openArchiveSource(join(place.workFolder, name))),
    )
    const records = chainRecords(live.records, archives, live.keysIn)
    const checks = { all: true, signatures: true, anchors: [tsa.root] }
    return await verifyLog({ ...live, records }, { logKey: key.verifier, ...checks })
  }

  const before = await monthTables()
  const [oldest] = await stores.records.after(0, 1)
  const names: string[] = []
  for (let month = 1; month <= 2; month += 1) {
    const event = await archiveNext(options, { endedDaysAgo: 1 }, 'administrator')
    expect(event).toMatchObject({ first: (month - 1) * RECORDS + 1, last: month * RECORDS })
    names.push(event!.archive)
    expect(await monthTables()).toBe(before - 2 * month)
  }
  expect(await archiveNext(options, { endedDaysAgo: 1 }, 'administrator')).toBeUndefined()
  await integrate(stores, key)
  const last = 3 * RECORDS + 2
  expect(await stores.records.extent()).toMatchObject({ first: 2 * RECORDS + 1, last })
  expect(await verify(names)).toMatchObject({ findings: [], from: 1, to: last, records: last })
  expect(await verify([])).toMatchObject({ findings: [], from: 2 * RECORDS + 1, to: last })

  const erasure = createErasure({ store: stores.records, record, clock: () => new Date() })
  const order = { actor: 'administrator', reason: 'request of the person' }
  expect(await erasure.eraseExchange(oldest!.exchangeId, order)).toEqual([1])
  expect(await stores.records.wrappedKey(1)).toBeUndefined()
  expect(await stores.records.wrappedKey(2)).toBeDefined()
  await integrate(stores, key)
  expect(told(await verify(names))).toEqual([])
  // Who destroys a key without recording it is found, in archives as well.
  await server.run('DELETE FROM spean."recordKey" WHERE position = 2', database)
  expect(told(await verify(names))).toEqual(['content.missing 2'])
  expect(told(await verify(names.slice(1)))).toEqual([])
})

it('a month that is not to go as a whole keeps its table', async () => {
  const database = await server.newLog()
  await using stores = await openStores(server, database)
  await fillMonths(stores, temporaryFolder())
  await stores.records.removeUpTo(RECORDS + 10)
  expect(await stores.records.extent()).toMatchObject({ first: RECORDS + 11, last: 3 * RECORDS })
  expect(await stores.records.after(0, 1)).toMatchObject([{ position: RECORDS + 11 }])
  expect(await stores.records.contentPart(RECORDS + 10, 0)).toBeUndefined()
  expect(await stores.records.contentPart(RECORDS + 11, 0)).toBeDefined()
  expect(await stores.records.wrappedKey(1)).toBeDefined()
})
