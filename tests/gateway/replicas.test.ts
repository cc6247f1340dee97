/** Two replicas of a provider's gateway on one log in PostgreSQL. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createExchangeLog } from '../../gateway/exchange-log/log.ts'
import { requestExchange, serveExchange } from '../../gateway/exchange.ts'
import type { ProviderGateway } from '../../gateway/ports.ts'
import { createReplayGuard } from '../../gateway/replay/guard.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { createRecordKeys } from '../../exchange-log/record-keys.ts'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { createContentSealer } from '../../exchange-log/sealing.ts'
import { openLogAt } from '../contract/open-log-at.ts'
import { temporaryFolder } from '../pki/support.ts'
import { ROLE, startPostgres, type PostgresServer } from '../support/postgres.ts'
import { pairOfGateways, silent, type Pair } from './support.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A replica with a guard and a connection of its own. */
async function replicaOf(pair: Pair, store: ExchangeLogStore): Promise<ProviderGateway> {
  const { clock } = pair.provider.gw
  const key = await openEncryptionKey(`${temporaryFolder()}/log.key`, { mayMake: true })
  const keys = await createRecordKeys({ key, clock, logger: silent })
  const sealer = createContentSealer(keys, store)
  const privacy = { sealer, rules: [], classificationOf: () => undefined }
  const log = createExchangeLog(store, { clock, logger: silent, privacy })
  return { ...pair.provider.gw, log, replayGuard: createReplayGuard([], clock()) }
}

it('a request is served by one replica, and refused as a replay by the others, also when it comes to all at once', async () => {
  const pair = await pairOfGateways()
  await requestExchange(pair.asked(), pair.client.gw)
  const message = pair.sent[0]!
  const served = pair.called.length
  const url = server.url(ROLE, await server.newLog())
  await using one = await openLogAt(url)
  await using other = await openLogAt(url)
  const replicas = await Promise.all(
    [one, other, one, other].map((store) => replicaOf(pair, store)),
  )
  const outcomes = await Promise.allSettled(
    replicas.map((gateway) => serveExchange(pair.received(message), gateway)),
  )
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      expect(outcome.reason).toMatchObject({ code: 'manifest.replayed' })
  }
  const late = await replicaOf(pair, other)
  const attempt = serveExchange(pair.received(message), late)
  await expect(attempt).rejects.toMatchObject({ code: 'manifest.replayed' })
  expect(pair.called).toHaveLength(served + 1)
  const { exchangeId } = pair.asked()
  const kinds = (await one.entries(exchangeId)).map(({ kind, code }) => code ?? kind)
  expect(kinds.filter((kind) => kind === 'request')).toHaveLength(1)
  expect(kinds.filter((kind) => kind === 'response')).toHaveLength(1)
  expect(kinds.filter((kind) => kind === 'manifest.replayed')).toHaveLength(4)
})
