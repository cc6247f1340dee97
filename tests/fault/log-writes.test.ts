/** Each write of the exchange log fails once: not persisted, or persisted and the answer lost. */
import { describe, expect, it } from 'vitest'
import { verifyLog } from '../../bench/chaos/verify.ts'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { requestExchange, serveExchange } from '../../gateway/exchange.ts'
import { createExchangeLog } from '../../gateway/exchange-log/log.ts'
import type { ClientGateway } from '../../gateway/ports.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { toRawHeaders } from '../../protocol/header-block.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { systemClock } from '../../runtime/clock.ts'
import { newLogKey, temporaryDirectory } from '../exchange-log/tree-support.ts'
import { pairOfGateways, silent } from '../gateway/support.ts'

type Loss = 'not persisted' | 'persisted, unanswered'
const SIDES = ['client', 'provider'] as const
const EXCHANGES = 3
/** Request and answer of each exchange, and the refusal that follows a failure. */
const WRITES = 2 * EXCHANGES + 1

/** Fails the nth append, counted from 0. */
function failing(store: ExchangeLogStore, nth: number, loss: Loss): ExchangeLogStore {
  let writes = 0
  return {
    ...store,
    append: async (record) => {
      writes += 1
      if (writes !== nth + 1) return store.append(record)
      if (loss === 'persisted, unanswered') await store.append(record)
      throw new LogStoreError('the answer of the disk was lost')
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

const cases = SIDES.flatMap((side) =>
  (['not persisted', 'persisted, unanswered'] as const).flatMap((loss) =>
    Array.from({ length: WRITES }, (_, nth) => ({ side, loss, nth })),
  ),
)

describe('a write of the log that fails', () => {
  it.each(cases)('$side, write $nth, $loss', async ({ side, loss, nth }) => {
    using folder = temporaryDirectory()
    await using scope = new AsyncDisposableStack()
    const pair = await pairOfGateways()
    const logs = await Promise.all(
      SIDES.map(async (name) => {
        const file = `${folder.dir}/${name}.db`
        const records = scope.use(await openSqliteLogStore(file, { maxBytes: 1e9 }))
        const tree = scope.use(openSqliteTreeStore(`${folder.dir}/${name}-tree.db`))
        const key = newLogKey()
        const options = { records, tree, key, clock: systemClock, logger: silent, intervalMs: 20 }
        const integrator = scope.use(startIntegrator(options))
        const store = name === side ? failing(records, nth, loss) : records
        const log = createExchangeLog(store, { clock: systemClock, logger: silent })
        return { name, records, tree, key, integrator, log }
      }),
    )
    const [client, provider] = logs
    const providerGateway = { ...pair.provider.gw, log: provider!.log }
    let current = ''
    const clientGateway: ClientGateway = {
      ...pair.client.gw,
      log: client!.log,
      peers: {
        send: async (_gateway, message) => {
          const received = pair.received(message, { claimedExchangeId: current })
          const { answer, responseJws } = await serveExchange(received, providerGateway)
          const rawHeaders = [...toRawHeaders(answer.headers), MANIFEST_HEADER, responseJws]
          return { status: answer.status, rawHeaders, stream: answer.body.open() }
        },
      },
    }

    const answered: string[] = []
    const refused: string[] = []
    for (let i = 0; i < EXCHANGES; i += 1) {
      const exchangeId = crypto.randomUUID()
      try {
        current = exchangeId
        await requestExchange(pair.asked({ exchangeId }), clientGateway)
        answered.push(exchangeId)
      } catch (error) {
        expect(error).toBeInstanceOf(ExchangeError)
        refused.push((error as ExchangeError).code)
      }
    }
    // The last write is one that only a failure brings about: without one there are six.
    const isReached = nth < 2 * EXCHANGES
    expect(refused.length).toBe(isReached ? 1 : 0)
    expect(answered.length).toBe(isReached ? EXCHANGES - 1 : EXCHANGES)
    for (const code of refused) expect(code).toMatch(/^log\.unavailable/)

    for (const { name, records, tree, key, integrator } of logs) {
      await integrator.integrateNow()
      const stores = { records, tree }
      const { verifier } = key
      const { findings } = await verifyLog({ stores, verifier, answered, seen: [] })
      expect(findings, name).toEqual([])
    }
  })
})
