/** Each write of the exchange log in PostgreSQL is cut off once on its way: before it arrives, or before its answer does. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLogStores } from '../../exchange-log/open-log.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import { verifyLog } from '../../exchange-log/verify/verify-log.ts'
import { append, requestEntry } from '../contract/exchange-log-entries.ts'
import { openLogAt } from '../contract/open-log-at.ts'
import { openStores } from '../exchange-log/verify-postgres-support.ts'
import { openCutLine, type CutLine } from '../support/cut-line.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { everyWrite, exchangeWithFailure, withNthAppend } from './failing-writes.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
// Of many databases there are many files.
afterAll(() => server[Symbol.asyncDispose](), 180_000)

type Cut = Parameters<CutLine['cutAt']>[0]

/** Cuts the line at the nth append, and makes sure of what became of it. */
function cutting(
  store: ExchangeLogStore,
  { records, line, nth, cut }: { records: ExchangeLogStore; line: CutLine; nth: number; cut: Cut },
): ExchangeLogStore {
  return withNthAppend(store, nth, async (record) => {
    const { last } = await records.extent()
    line.cutAt(cut)
    const attempt = store.append(record)
    await expect(attempt).rejects.toMatchObject({ name: 'LogStoreError' })
    const isThere = async (): Promise<number> => (await records.extent()).last - last
    await expect.poll(isThere).toBe(cut === 'answer' ? 1 : 0)
    return attempt
  })
}

const cases = everyWrite<Cut>(['request', 'answer'])

describe('a write of the log in PostgreSQL', () => {
  it.each(cases)('$side, write $nth, whose $way is lost', ({ side, way, nth }) =>
    exchangeWithFailure(nth, async (name, folder) => {
      await using opening = new AsyncDisposableStack()
      if (name !== side) {
        const other = opening.use(await openLogStores({ stateDir: folder, maxBytes: 1e9 }))
        const open = opening.move()
        return {
          ...{ records: other.records, tree: other.tree, store: other.records },
          [Symbol.asyncDispose]: () => open.disposeAsync(),
        }
      }
      const database = await server.newLog()
      const { records, tree } = opening.use(await openStores(server, database))
      const line = opening.use(await openCutLine(server.socket))
      const url = `postgres://${ROLE}@127.0.0.1:${line.port}/${database}`
      const cuttable = opening.use(await openLogAt(url))
      await append(cuttable, requestEntry('first')) // connected, and the size of the log is known
      const store = cutting(cuttable, { records, line, nth, cut: way })
      const open = opening.move()
      return {
        ...{ records, tree, store },
        verify: async (logKey) => {
          await using source = await openPostgresSource(server.url(ROLE, database))
          expect((await verifyLog(source, { logKey, all: true })).findings).toEqual([])
        },
        [Symbol.asyncDispose]: () => open.disposeAsync(),
      }
    }),
  )
})
