/** Exchanges between two gateways of which one write of one log fails. */
import { expect } from 'vitest'
import { verifyLog } from '../../bench/chaos/verify.ts'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import { createRecordKeys } from '../../exchange-log/record-keys.ts'
import { createContentSealer } from '../../exchange-log/sealing.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { requestExchange, serveExchange } from '../../gateway/exchange.ts'
import { createExchangeLog } from '../../gateway/exchange-log/log.ts'
import type { ClientGateway } from '../../gateway/ports.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { toRawHeaders } from '../../protocol/header-block.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import type { NoteVerifier } from '../../protocol/signed-note.ts'
import { systemClock } from '../../runtime/clock.ts'
import { newLogKey, temporaryDirectory } from '../exchange-log/tree-support.ts'
import { pairOfGateways, silent } from '../gateway/support.ts'

export const SIDES = ['client', 'provider'] as const
export type Side = (typeof SIDES)[number]
const EXCHANGES = 3
/** Request and answer of each exchange, and the refusal that follows a failure. */
const WRITES = 2 * EXCHANGES + 1

/** Every write of either side, lost in each of some ways. */
export const everyWrite = <Way extends string>(
  ways: readonly Way[],
): { side: Side; way: Way; nth: number }[] =>
  SIDES.flatMap((side) =>
    ways.flatMap((way) => Array.from({ length: WRITES }, (_, nth) => ({ side, way, nth }))),
  )

/** A store whose nth append, counted from 0, is done in another way. */
export function withNthAppend(
  store: ExchangeLogStore,
  nth: number,
  append: ExchangeLogStore['append'],
): ExchangeLogStore {
  let writes = 0
  return {
    ...store,
    append: (record) => {
      writes += 1
      return writes === nth + 1 ? append(record) : store.append(record)
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** The log of one side. */
export interface SideLog extends AsyncDisposable, Pick<LogStores, 'records' | 'tree'> {
  /** Where exchanges are recorded: the same log, of which a write may fail. */
  readonly store: ExchangeLogStore
  /** Judges the log further, when nothing is written any more. */
  readonly verify?: (logKey: NoteVerifier) => Promise<void>
}

/**
 * Makes a few exchanges, and verifies both logs.
 *
 * @param nth of the writes that fails, counted from 0.
 */
export async function exchangeWithFailure(
  nth: number,
  open: (side: Side, folder: string) => Promise<SideLog>,
): Promise<void> {
  using folder = temporaryDirectory()
  await using scope = new AsyncDisposableStack()
  const pair = await pairOfGateways()
  const logs = await Promise.all(
    SIDES.map(async (name) => {
      const { store, ...own } = scope.use(await open(name, folder.dir))
      const { records, tree } = own
      const key = newLogKey()
      const options = { records, tree, key, clock: systemClock, logger: silent, intervalMs: 20 }
      const integrator = scope.use(startIntegrator(options))
      const content = await openEncryptionKey(`${folder.dir}/${name}.key`, { mayMake: true })
      const keys = await createRecordKeys({ key: content, clock: systemClock, logger: silent })
      const sealer = createContentSealer(keys, store)
      const privacy = { sealer, rules: [], classificationOf: () => undefined }
      const log = createExchangeLog(store, { clock: systemClock, logger: silent, privacy })
      return { ...own, name, key, integrator, log }
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

  for (const { name, records, tree, key, integrator, verify } of logs) {
    await integrator.integrateNow()
    const stores = { records, tree }
    const { verifier } = key
    const { findings } = await verifyLog({ stores, verifier, answered, seen: [] })
    expect(findings, name).toEqual([])
    await verify?.(verifier)
  }
}
