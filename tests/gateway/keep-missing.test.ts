/** A gateway that was killed between a record and what its signature is judged by. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { chainOf } from '../../exchange-log/validation-chain.ts'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import { requestExchange } from '../../gateway/exchange.ts'
import { keepMissing } from '../../gateway/trust/keep-missing.ts'
import { openOcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { createTrust } from '../../gateway/trust/trust.ts'
import { startValidationKeeper } from '../../gateway/trust/validation-keeper.ts'
import { append, refusalEntry, requestEntry } from '../contract/exchange-log-entries.ts'
import { NOW, temporaryFolder } from '../pki/support.ts'
import { pairOfGateways, silent } from './support.ts'

it('has kept what is missing after the next start, and nothing twice', async () => {
  const pair = await pairOfGateways()
  const { client, keys, sent, view } = pair
  const { responseJws } = await requestExchange(pair.asked(), client.gw)
  const folder = temporaryFolder()
  await using log = await openSqliteLogStore(join(folder, 'log.db'), { maxBytes: 1_000_000 })
  await append(log, requestEntry('x-1', { manifest: sent[0]!.manifest }))
  await append(log, requestEntry('x-1', { manifest: responseJws }))
  await append(log, requestEntry('x-3', { manifest: 'altered since' }))
  await append(log, refusalEntry('x-2', 'access.denied'))
  await using validation = openSqliteValidationStore(join(folder, 'validation.db'))

  const start = async (): Promise<number> => {
    const policy = { refreshSeconds: 300, logger: silent }
    await using keeper = startValidationKeeper({ store: validation, ...policy })
    await using ocsp = openOcspCache({
      ...{ ...policy, gateway: 'KH-TEST/COM/BANK/BANK-1', outageMinutes: 240 },
      dir: join(folder, 'ocsp'),
      clock: () => NOW,
    })
    const snapshot = () => view
    const trust = createTrust({ snapshot, ocsp, keeper, clock: () => NOW })
    return await keepMissing({ log, validation, snapshot, trust })
  }
  expect(await start()).toBe(2)
  for (const { certificate } of [keys.bank, keys.registry]) {
    expect(await chainOf(validation, certificate.thumbprint, NOW)).toHaveLength(3)
  }
  expect(await start()).toBe(0)
})
